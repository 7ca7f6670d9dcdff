"""One run of a user's lifespan function: up to its yield at start-up, the rest at shut-down, in one task.

The lifespan has its own task because a `TaskGroup` or a time-out must be closed by the task that opened it. If a task of such
a group fails, the group cancels only the lifespan.

    starting ──── yield ────> open ──── leave() ────> closing ──> ended
       └── raises, or ends       └── cancelled, raises    └── raises, or yields again: `error` says so
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

from hookline_processor.api.hooks import DeclaredHook
from hookline_processor.api.results import close_unused
from hookline_processor.api.state import State


class YieldError(Exception):
    """A lifespan did not yield exactly once."""


class RunningLifespan:
    """One run of the lifespan `hook`. `on_failure` is called if it ends after its yield and before `leave`."""

    def __init__(self, hook: DeclaredHook, state: State, on_failure: Callable[["RunningLifespan"], None]) -> None:
        self.hook = hook
        self.error: BaseException | None = None
        self._on_failure = on_failure
        self._opened = asyncio.Event()
        self._leaving = asyncio.Event()
        self._task = asyncio.create_task(self._run(state), name=f"lifespan {hook.function!r}")

    async def enter(self) -> bool:
        """Wait until the function reaches its yield or ends. Return whether it reached it; if not, `error` says why.

        Cancelling this call cancels the lifespan.
        """
        opened = asyncio.ensure_future(self._opened.wait())
        try:
            await asyncio.wait({opened, self._task}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._leave()
            raise
        finally:
            opened.cancel()
        return self._opened.is_set()

    async def leave(self) -> BaseException | None:
        """Run what follows the yield, and return what it raised. Return None if the lifespan had already ended.

        Cancelling this call cancels the lifespan.
        """
        if self._task.done():
            return None
        self._leave()
        await self._task
        return self.error

    def _leave(self) -> None:
        if self._leaving.is_set():
            return  # a second cancellation would interrupt what the first one made it do
        self._leaving.set()
        if not self._opened.is_set():
            self._task.cancel()

    async def _run(self, state: State) -> None:
        try:
            await self._live(_generator(self.hook.function, state))
        except BaseException as error:  # noqa: BLE001 - whatever it raises is reported
            self.error = error
        if self._opened.is_set() and not self._leaving.is_set():
            self._on_failure(self)

    async def _live(self, generator: AsyncGenerator[Any, None]) -> None:
        try:
            await anext(generator)
        except StopAsyncIteration:
            raise YieldError("ended without a yield") from None
        self._opened.set()
        try:
            await self._resume(generator)
        except StopAsyncIteration:
            return
        with suppress(RuntimeError):  # it yields yet again
            await generator.aclose()
        raise YieldError("has a second yield")

    async def _resume(self, generator: AsyncGenerator[Any, None]) -> None:
        try:
            await self._leaving.wait()
        except asyncio.CancelledError as cancelled:
            await generator.athrow(cancelled)
        else:
            await anext(generator)


def _generator(function: Callable[[State], Any], state: State) -> AsyncGenerator[Any, None]:
    made = function(state)
    if isinstance(made, AbstractAsyncContextManager):
        return _generator_of(made)
    if isinstance(made, AsyncGenerator):
        return made
    close_unused(made)
    raise YieldError(f"returned a {type(made).__name__} and no generator")


async def _generator_of(manager: AbstractAsyncContextManager[Any]) -> AsyncGenerator[None, None]:
    async with manager:
        yield
