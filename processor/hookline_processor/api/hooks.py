"""What runs at start-up and shut-down, as users declare it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from hookline_processor.api.errors import HandlersError
from hookline_processor.api.functions import described, has_yield, is_async_generator
from hookline_processor.api.signatures import check_callable
from hookline_processor.api.state import State

Hook = Callable[[State], object]
"""What runs at start-up or shut-down; of an async one the object is a coroutine."""

LifespanHook = Callable[[State], AsyncIterator[Any] | AbstractAsyncContextManager[Any]]
"""What opens something, yields once, and closes it."""

HookFunction = TypeVar("HookFunction", bound=Hook)
LifespanFunction = TypeVar("LifespanFunction", bound=LifespanHook)


class Phase(StrEnum):
    """When a hook runs; the value is what it is called in log lines."""

    STARTUP = "start-up hook"
    SHUTDOWN = "shut-down hook"
    LIFESPAN = "lifespan"


@dataclass(frozen=True, eq=False)
class DeclaredHook:
    """A function and when it runs. Each declaration is one of its own, also if it is of the same function."""

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
