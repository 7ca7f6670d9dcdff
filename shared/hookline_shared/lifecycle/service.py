"""The life of a service: start, run until a signal or the death of a task, stop, and an exit code."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Final, Protocol

import uvloop
from aiojobs import Job, Scheduler

from hookline_shared.clock import Clock
from hookline_shared.errors import HooklineError, TaskDiedError
from hookline_shared.observability.logs import Logger
from hookline_shared.observability.loop_lag import LOOP_LAG
from hookline_shared.observability.metrics import TASKS

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_SETTINGS: Final = 2

_HEARTBEAT_S: Final = 0.25
_LAST_CHANCE_S: Final = 1.0
_ALLOCATIONS_PER_COLLECTION: Final = 20_000


class Supervisor:
    """Runs named background tasks. One that ends without having been closed stops the whole service.

    A service that runs on with a dead part looks healthy and loses its purpose in silence; a restart is the better answer.
    """

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._scheduler = Scheduler(limit=None, close_timeout=None)
        self._failed = asyncio.Event()
        self.failure: HooklineError | None = None

    async def spawn(self, name: str, work: Coroutine[object, object, None]) -> Job[None]:
        """Start `work` as task `name`; the part that spawned it ends it with `Job.close()`."""
        job = await self._scheduler.spawn(self._watch(name, work), name=name)
        await asyncio.sleep(0)  # let it begin: a task that is closed before never awaits its work
        return job

    async def wait_failed(self) -> None:
        """Wait until a task has died."""
        await self._failed.wait()

    def check_tasks(self) -> str | None:
        """Return the liveness check: which task died."""
        return str(self.failure) if self.failure else None

    async def close(self) -> None:
        """Cancel every task that is left."""
        await self._scheduler.close()

    async def _watch(self, name: str, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self._fail(TaskDiedError(name))  # not ours: something inside was cancelled and nobody noticed
        except HooklineError as error:
            self._fail(error)
        except Exception:
            self._logger.exception("task died", task=name)
            self._fail(TaskDiedError(name))
        else:
            self._fail(TaskDiedError(name))

    def _fail(self, error: HooklineError) -> None:
        self.failure = self.failure or error
        self._failed.set()


class Service(Protocol):
    """What `run` can run."""

    async def start(self, supervisor: Supervisor) -> None:
        """Open ports and spawn tasks; must not wait for anything outside this machine."""
        ...

    async def stop(self) -> None:
        """Finish what was accepted, then let go of everything; bounded by the service's own deadline."""
        ...


def run(build: Callable[[], Service], clock: Clock, logger: Logger) -> int:
    """Run the service that `build` makes until SIGTERM or SIGINT; return the exit code. A second signal stops it at once."""
    return uvloop.run(_run(build, clock, logger))


async def _run(build: Callable[[], Service], clock: Clock, logger: Logger) -> int:
    signals = _Signals()
    supervisor = Supervisor(logger)
    service = build()
    try:
        await supervisor.spawn("heartbeat", _heartbeat(clock))
        TASKS.set_function(lambda: len(asyncio.all_tasks()))  # the admin port is asked in this very loop
        await service.start(supervisor)
        _spare_the_collector()
        await _first(signals.wait(), supervisor.wait_failed())
        logger.info("stopping", reason=signals.last or "a task died")
    except HooklineError as error:
        supervisor.failure = error
    signals.clear()
    await _stop(service, signals, logger)
    await supervisor.close()
    if supervisor.failure is not None:
        logger.error("stopped", error=str(supervisor.failure))
    else:
        logger.info("stopped", at_once=signals.last is not None)
    code = EXIT_FAILED if supervisor.failure else EXIT_OK
    await _leave_no_task(code, logger)
    return code


def _spare_the_collector() -> None:
    """Keep the garbage collector from looking again and again at what stays for ever, and let it come less often.

    Requests and events are freed by reference counting; only what holds a cycle waits for the collector.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_PER_COLLECTION)


async def _stop(service: Service, signals: "_Signals", logger: Logger) -> None:
    try:
        await _first(service.stop(), signals.wait())
    except Exception:
        logger.exception("stopping failed")


async def _leave_no_task(code: int, logger: Logger) -> None:
    """Cancel what is left. A task that ignores that would keep the event loop, and so the process, from ever ending."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        _, left = await asyncio.wait(left, timeout=_LAST_CHANCE_S)
    if left:
        logger.warning("left behind tasks that ignore their cancellation", tasks=[task.get_name() for task in left])
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


async def _first(*waits: Coroutine[object, object, None]) -> None:
    """Wait for the first of `waits` to end, cancel the others, and raise what the first raised."""
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
        LOOP_LAG.note(max(0.0, now - before - _HEARTBEAT_S), now)


class _Signals:
    """SIGTERM and SIGINT, noticed one after the other."""

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
