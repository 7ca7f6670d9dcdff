"""Declared start-up hooks, shut-down hooks and lifespans."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from hookline_processor.api.errors import HandlersError
from hookline_processor.api.function_checks import check_callable
from hookline_processor.api.functions import described, has_yield, is_async_generator
from hookline_processor.api.state import State

Hook = Callable[[State], object]
"""A function that runs at start-up or shut-down. An async function returns a coroutine."""

LifespanHook = Callable[[State], AsyncIterator[Any] | AbstractAsyncContextManager[Any]]
"""A function that opens a resource, yields once, and closes the resource."""

HookFunction = TypeVar("HookFunction", bound=Hook)
LifespanFunction = TypeVar("LifespanFunction", bound=LifespanHook)


class Phase(StrEnum):
    """When a hook runs. The value names the hook in log lines and errors."""

    STARTUP = "start-up hook"
    SHUTDOWN = "shut-down hook"
    LIFESPAN = "lifespan"


@dataclass(frozen=True, eq=False)
class DeclaredHook:
    """A function and when it runs. The same function may be declared several times."""

    phase: Phase
    function: Callable[[State], Any]


def check_hook(function: Callable[..., Any], phase: Phase) -> None:
    """Raise `HandlersError` unless `function` can run in `phase`."""
    check_callable(function, ("state",))
    if phase is Phase.LIFESPAN:
        if not is_async_generator(function):
            raise HandlersError(f"{described(function)} cannot be a lifespan; write async def ...(state) with one yield.")
    elif has_yield(function):
        raise HandlersError(
            f"{described(function)} cannot be a {phase}, since it has a yield; write a function without one, "
            "or @handlers.lifespan above an async def."
        )
