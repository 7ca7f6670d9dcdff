"""The life cycle of a service: start, run until a signal or the end of a task, stop, and an exit code."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Final, Protocol

from aiojobs import Job, Scheduler

from hookline_shared.clock import Clock
from hookline_shared.errors import HooklineError, TaskDiedError
from hookline_shared.lifecycle.event_loop import run_to_the_end
from hookline_shared.lifecycle.process_start import resume_collection
from hookline_shared.observability.logs import Logger
from hookline_shared.observability.loop_lag import LOOP_LAG
from hookline_shared.observability.metrics import TASKS
from hookline_shared.observability.standard_streams import flush_output
from hookline_shared.system.forked import separate_children

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_SETTINGS: Final = 2

_HEARTBEAT_S: Final = 0.25
_CANCEL_TIMEOUT_S: Final = 1.0


class Supervisor:
    """Runs named background tasks. A task that ends without having been closed stops the service.

    Otherwise a service without one of its tasks would seem healthy and not do its work. A restart is better.
    """

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._scheduler = Scheduler(limit=None, close_timeout=None)
        self._failed = asyncio.Event()
        self.failure: HooklineError | None = None

    async def spawn(self, name: str, work: Coroutine[object, object, None]) -> Job[None]:
        """Start `work` as task `name`; its owner ends it with `Job.close()`."""
        job = await self._scheduler.spawn(self._watch(name, work), name=name)
        await asyncio.sleep(0)  # let it begin: a task that is closed before that never awaits its work
        return job

    async def wait_failed(self) -> None:
        """Wait until a task has ended unexpectedly."""
        await self._failed.wait()

    def check_tasks(self) -> str | None:
        """Return the liveness check: the error of the task that has ended, None if none has."""
        return str(self.failure) if self.failure else None

    async def close(self) -> None:
        """Cancel the remaining tasks."""
        await self._scheduler.close()

    async def _watch(self, name: str, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self._fail(TaskDiedError(name))  # not by us: a part of `work` was cancelled
        except HooklineError as error:
            self._fail(error)
        except BaseException:  # SystemExit, too: the process ends in order, whoever wants it to end
            self._logger.exception("task died", task=name)
            self._fail(TaskDiedError(name))
        else:
            self._fail(TaskDiedError(name))

    def _fail(self, error: HooklineError) -> None:
        self.failure = self.failure or error
        self._failed.set()


class Service(Protocol):
    """A service that `run` can run."""

    async def start(self, supervisor: Supervisor, stopping: AsyncExitStack) -> None:
        """Open ports and spawn tasks; must not wait for other machines.

        Push onto `stopping` how each part finishes its accepted work and closes, within the service's own deadline. The parts
        stop in the reverse order, also if the start fails halfway, and the others also if one fails to stop.
        """
        ...


def run(build: Callable[[], Service], clock: Clock, logger: Logger) -> int:
    """Run the service that `build` makes until SIGTERM or SIGINT; return the exit code. A second signal stops it at once."""
    separate_children()
    return run_to_the_end(_run(build, clock, logger), logger)


async def _run(build: Callable[[], Service], clock: Clock, logger: Logger) -> int:
    signals = _Signals()
    supervisor = Supervisor(logger)
    stopping = AsyncExitStack()
    service = build()
    try:
        await supervisor.spawn("heartbeat", _heartbeat(clock))
        TASKS.set_function(lambda: len(asyncio.all_tasks()))  # scrapes run in this event loop
        await service.start(supervisor, stopping)
        _tune_garbage_collector()
        await _wait_for_first(signals.wait(), supervisor.wait_failed())
        logger.info("stopping", reason=signals.last or "a task died")
    except HooklineError as error:
        supervisor.failure = error
    signals.clear()
    await _stop(stopping, signals, logger)
    await supervisor.close()
    if supervisor.failure is not None:
        logger.error("stopped", error=str(supervisor.failure))
    else:
        logger.info("stopped", at_once=signals.last is not None)
    code = EXIT_FAILED if supervisor.failure else EXIT_OK
    await _cancel_remaining_tasks(code, logger)
    return code


def _tune_garbage_collector() -> None:
    """Exclude the objects that exist from garbage collection, and let it run less often.

    Requests and events are freed by reference counting; only cycles need the collector.
    """
    gc.collect()
    resume_collection()


async def _stop(stopping: AsyncExitStack, signals: "_Signals", logger: Logger) -> None:
    """Run the steps of `stopping`. A signal cancels the current step, and skips those that remain."""
    try:
        await _wait_for_first(stopping.aclose(), _skip_on_signal(stopping, signals))
    except Exception:
        logger.exception("stopping failed")


async def _skip_on_signal(stopping: AsyncExitStack, signals: "_Signals") -> None:
    await signals.wait()
    stopping.pop_all()  # else the cancellation of one step would begin the next


async def _cancel_remaining_tasks(code: int, logger: Logger) -> None:
    """Cancel the remaining tasks; end the process if one ignores that, since the event loop would never end."""
    remaining = asyncio.all_tasks() - {asyncio.current_task()}
    for task in remaining:
        task.cancel()
    if remaining:
        _, remaining = await asyncio.wait(remaining, timeout=_CANCEL_TIMEOUT_S)
    if remaining:
        logger.warning("left behind tasks that ignore their cancellation", tasks=[task.get_name() for task in remaining])
        flush_output()
        os._exit(code)


async def _wait_for_first(*waits: Coroutine[object, object, None]) -> None:
    """Wait until the first of `waits` ends, cancel the others, and raise the error of the first."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    for task in done:
        task.result()


async def _heartbeat(clock: Clock) -> None:
    while True:
        before = clock.monotonic()
        await clock.sleep(_HEARTBEAT_S)
        now = clock.monotonic()
        LOOP_LAG.record(max(0.0, now - before - _HEARTBEAT_S), now)


class _Signals:
    """SIGTERM and SIGINT."""

    def __init__(self) -> None:
        self.last: str | None = None
        self._arrived = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._notice, number)

    async def wait(self) -> None:
        await self._arrived.wait()

    def clear(self) -> None:
        self.last = None
        self._arrived.clear()

    def _notice(self, number: signal.Signals) -> None:
        self.last = number.name
        self._arrived.set()
