"""The start-up and shut-down hooks: what the user's handlers need before the first event, and leave behind after the last."""

import asyncio
import inspect
import traceback
from typing import Final

from hookline_processor.functions import code_of, name_of
from hookline_processor.handlers import Handlers, Hook
from hookline_processor.verdict import Failure
from hookline_shared.clock import Clock
from hookline_shared.errors import HooklineError
from hookline_shared.logs import Logger

_SHUTDOWN_S: Final = 5.0
"""How long all shut-down hooks together may take: with the 25 s of the handlers, what Kubernetes waits before it kills."""
_LEAST_SHARE: Final = 0.1
"""The part of that which each hook gets, even if those before it took all of it."""
_MESSAGE_LIMIT: Final = 500


class HookError(HooklineError):
    """A start-up hook failed, so the service cannot do its job."""

    def __init__(self, hook: Hook, error: BaseException) -> None:
        self.name = name_of(hook)
        what = f"{type(error).__name__}: {' '.join(str(error).split())[:_MESSAGE_LIMIT]}"
        where = _place(hook, error)
        super().__init__(
            f"The start-up hook {self.name} failed with {what} ({where.filename}, line {where.lineno}), so no event was read. "
            "Mend that, then start again."
        )


class Lifespan:
    """Runs the hooks of `handlers` in the event loop, one after the other. The shut-down hooks get `shutdown_s` together."""

    def __init__(self, handlers: Handlers, clock: Clock, logger: Logger, shutdown_s: float = _SHUTDOWN_S) -> None:
        self._handlers = handlers
        self._clock = clock
        self._logger = logger
        self._shutdown_s = shutdown_s
        self._begun = False
        self._started = False

    def check(self) -> str | None:
        """Give the readiness check."""
        return None if self._started else "handlers are starting up"

    async def start(self) -> None:
        """Run the start-up hooks in the order of their registration.

        Raises:
            HookError: if one fails; those after it are not run.

        """
        self._begun = True
        for hook in self._handlers.startup_hooks:
            await self._start(hook)
        self._started = True

    async def stop(self) -> None:
        """Run the shut-down hooks in reverse order, also if start-up was broken off; none if it never began."""
        deadline, least_s = self._clock.monotonic() + self._shutdown_s, self._shutdown_s * _LEAST_SHARE
        for hook in reversed(self._handlers.shutdown_hooks) if self._begun else ():
            await self._stop(hook, max(least_s, deadline - self._clock.monotonic()))

    async def _start(self, hook: Hook) -> None:
        try:
            await self._call(hook)
        except (Exception, asyncio.CancelledError, SystemExit) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            self._logger.debug("start-up hook failed", hook=name_of(hook), traceback=Failure.of(error).traceback)
            raise HookError(hook, error) from error

    async def _stop(self, hook: Hook, timeout_s: float) -> None:
        """Run `hook`, and report it if it fails. One that ignores its cancellation is left behind."""
        running = asyncio.ensure_future(self._try(hook))
        done, _ = await asyncio.wait({running}, timeout=timeout_s)
        if not done:
            running.cancel()
            self._logger.warning("shut-down hook takes too long, so it is cancelled", hook=name_of(hook), timeout_s=timeout_s)

    async def _try(self, hook: Hook) -> None:
        try:
            await self._call(hook)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it raises, the others must run
            failure = Failure.of(error)
            what = f"{failure.type}: {failure.message}"
            self._logger.warning("shut-down hook failed", hook=name_of(hook), error=what, traceback=failure.traceback)

    async def _call(self, hook: Hook) -> None:
        result = hook(self._handlers.state)
        if inspect.isawaitable(result):
            await result


def _place(hook: Hook, error: BaseException) -> traceback.FrameSummary:
    """Give where the error came from: the last line that it passed in the file of `hook`, else the very last."""
    frames, code = traceback.extract_tb(error.__traceback__), code_of(hook)
    own = [frame for frame in frames if code is not None and frame.filename == code.co_filename]
    return (own or frames)[-1]
