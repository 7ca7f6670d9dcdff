"""Running start-up hooks and lifespans before the first event, and shut-down hooks after the last."""

import asyncio
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import Final

from hookline_processor.api.functions import code_of, name_of, place_of, wraps_async
from hookline_processor.api.handlers import Handlers
from hookline_processor.api.hooks import DeclaredHook, Phase
from hookline_processor.api.results import awaitable_of, call_plain, finish, needs_event_loop
from hookline_processor.api.running_lifespan import RunningLifespan, YieldError
from hookline_processor.api.state import State
from hookline_processor.verdicts import Failure
from hookline_shared.clock import Clock
from hookline_shared.errors import HooklineError
from hookline_shared.observability.logs import Logger

_SHUTDOWN_TIMEOUT_S: Final = 5.0
"""For all shut-down hooks together."""
_MIN_SHARE: Final = 0.1
"""The share of that time that each hook gets at least, even if the hooks before it used all of it."""
_MESSAGE_LIMIT: Final = 500
_NOT_STARTED: Final = "so no event was read"
_ENDED_EARLY: Final = "while events were handled, so the service stops"


class HookError(HooklineError):
    """A start-up hook or a lifespan failed, so the service stops. `name` is the name of the function.

    `consequence` ends the message: whether events had been read by then.
    """

    def __init__(self, hook: DeclaredHook, error: BaseException, consequence: str) -> None:
        self.name = name_of(hook.function)
        message = f"{error}" if isinstance(error, YieldError) else f"failed with {_summary(error)}"
        super().__init__(
            f"The {hook.phase} {self.name} {message} ({_error_place(hook, error)}), {consequence}. Fix that, then start again."
        )


class Lifespan:
    """Runs the hooks of `handlers` in the event loop, one by one. All shut-down hooks together get `shutdown_s` seconds."""

    def __init__(self, handlers: Handlers, clock: Clock, logger: Logger, shutdown_s: float = _SHUTDOWN_TIMEOUT_S) -> None:
        self._handlers = handlers
        self._clock = clock
        self._logger = logger
        self._shutdown_s = shutdown_s
        self._starting = False
        self._started = False
        self._running: dict[DeclaredHook, RunningLifespan] = {}
        self._failed: RunningLifespan | None = None
        self._has_failed = asyncio.Event()

    def check(self) -> str | None:
        """Return the readiness check: why the handlers are not ready, or None once they are."""
        return None if self._started else "handlers are starting up"

    async def start(self) -> None:
        """Run start-up hooks, and lifespans up to their yield, in the order of registration.

        Raises:
            HookError: if one fails. The hooks after it do not run.

        """
        self._starting = True
        for hook in self._handlers.hooks:
            if hook.phase is Phase.LIFESPAN:
                await self._enter(hook)
            elif hook.phase is Phase.STARTUP:
                await self._start(hook)
        self._started = True

    async def wait_failed(self) -> None:
        """Wait until a lifespan ends before shut-down, and raise its error.

        Raises:
            HookError: when a lifespan has ended.

        """
        await self._has_failed.wait()
        self.raise_failure()

    def raise_failure(self) -> None:
        """Raise `HookError` if a lifespan has ended before shut-down."""
        if self._failed is not None:
            raise HookError(self._failed.hook, self._failed.error or asyncio.CancelledError(), _ENDED_EARLY)

    async def stop(self) -> None:
        """Run shut-down hooks, and the rest of the lifespans, in reverse order, even if start-up failed halfway."""
        deadline, min_s = self._clock.monotonic() + self._shutdown_s, self._shutdown_s * _MIN_SHARE
        for hook in reversed(self._handlers.hooks) if self._starting else ():
            if hook.phase is Phase.SHUTDOWN or hook in self._running:
                await self._stop(hook, max(min_s, deadline - self._clock.monotonic()))

    async def _enter(self, hook: DeclaredHook) -> None:
        running = self._running[hook] = RunningLifespan(hook, self._handlers.state, self._note_failure)
        if not await running.enter():
            raise self._start_error(hook, running.error or asyncio.CancelledError()) from running.error

    async def _start(self, hook: DeclaredHook) -> None:
        try:
            await self._call(hook)
        except BaseException as error:
            if _is_own_cancellation(error):
                raise
            raise self._start_error(hook, error) from error

    def _start_error(self, hook: DeclaredHook, error: BaseException) -> HookError:
        message = f"{hook.phase} failed"
        self._logger.debug(message, hook=name_of(hook.function), traceback=Failure.of(error).traceback)
        return HookError(hook, error, _NOT_STARTED)

    def _note_failure(self, running: RunningLifespan) -> None:
        self._failed = self._failed or running
        self._has_failed.set()

    async def _stop(self, hook: DeclaredHook, timeout_s: float) -> None:
        """Run `hook`, and log a failure. A hook that ignores its cancellation is abandoned."""
        stopping = asyncio.ensure_future(self._leave(hook) if hook.phase is Phase.LIFESPAN else self._stop_safely(hook))
        done, _ = await asyncio.wait({stopping}, timeout=timeout_s)
        if not done:
            stopping.cancel()
            message = f"{hook.phase} takes too long, so it is cancelled"
            self._logger.warning(message, hook=name_of(hook.function), timeout_s=timeout_s)

    async def _leave(self, hook: DeclaredHook) -> None:
        error = await self._running[hook].leave()
        task = asyncio.current_task()
        if error is not None and not (task is not None and task.cancelling()):
            self._report(hook, error)

    async def _stop_safely(self, hook: DeclaredHook) -> None:
        try:
            await self._call(hook)
        except BaseException as error:
            if _is_own_cancellation(error):
                raise
            self._report(hook, error)

    def _report(self, hook: DeclaredHook, error: BaseException) -> None:
        fields = {"error": f"{error} ({_error_place(hook, error)})"} if isinstance(error, YieldError) else _error_fields(error)
        message = f"{hook.phase} failed"
        self._logger.warning(message, hook=name_of(hook.function), **fields)

    async def _call(self, hook: DeclaredHook) -> None:
        awaitable = awaitable_of(await _call(hook.function, self._handlers.state))
        if awaitable is not None:
            await finish(awaitable)


def _is_own_cancellation(error: BaseException) -> bool:
    """Whether `error` cancels the running task, and does not come from what it called."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


async def _call(function: Callable[[State], object], state: State) -> object:
    """Call `function` in the event loop, or in a thread if it may run an event loop of its own."""
    if wraps_async(function):
        try:
            return await _call_in_thread(function, state)
        except RuntimeError as error:
            if not needs_event_loop(error):
                raise
    return call_plain(function, state)


async def _call_in_thread(function: Callable[[State], object], state: State) -> object:
    """Call `function` in a thread that does not keep the process from ending."""
    called: Future[object] = Future()

    def run() -> None:
        try:
            called.set_result(call_plain(function, state))
        except BaseException as error:  # noqa: BLE001 - it is raised where the function is called
            called.set_exception(error)

    threading.Thread(target=copy_context().run, args=(run,), name=f"hook {name_of(function)}", daemon=True).start()
    await asyncio.wait({waiting := asyncio.wrap_future(called)})
    return waiting.result()


def _error_fields(error: BaseException) -> dict[str, str]:
    failure = Failure.of(error)
    return {"error": f"{failure.type}: {failure.message}", "traceback": failure.traceback}


def _summary(error: BaseException) -> str:
    failure = Failure.of(error)
    return f"{failure.type}: {' '.join(failure.message.split())[:_MESSAGE_LIMIT]}"


def _error_place(hook: DeclaredHook, error: BaseException) -> str:
    """Return where the error was raised: the last traceback line in the file of `hook`, or the last line of all."""
    frames, code = traceback.extract_tb(error.__traceback__), code_of(hook.function)
    if not frames or isinstance(error, YieldError):
        return place_of(hook.function)
    own = [frame for frame in frames if code is not None and frame.filename == code.co_filename]
    where = (own or frames)[-1]
    return f"{where.filename}, line {where.lineno}"
