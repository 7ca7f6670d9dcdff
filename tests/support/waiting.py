"""Waiting for conditions. Tests never wait for a number of seconds."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

Value = TypeVar("Value")

PATIENCE_S: Final = 30.0
"""After this long a condition is given up; generous, since a test that passes never waits for it."""

_POLL_S: Final = 0.01


class NeverError(AssertionError):
    """What a test waited for did not happen."""


async def until(condition: Callable[[], Value], what: str) -> Value:
    """Wait until `condition()` is true; return its value. `what` describes the condition."""
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise NeverError(f"waited in vain until {what}; last seen: {value!r}")
        await asyncio.sleep(_POLL_S)
    return value


async def until_answer(ask: Callable[[], Awaitable[Value]], good: Callable[[Value], bool], what: str) -> Value:
    """Await `ask()` repeatedly until its answer is `good`; return that answer. `what` describes the condition."""
    deadline = time.monotonic() + PATIENCE_S
    while not good(answer := await ask()):
        if time.monotonic() > deadline:
            raise NeverError(f"waited in vain until {what}; last answer: {answer!r}")
        await asyncio.sleep(_POLL_S)
    return answer


def until_now(condition: Callable[[], Value], what: str) -> Value:
    """Do as `until` does, for servers that are set up outside an event loop: this blocks."""
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise NeverError(f"waited in vain until {what}; last seen: {value!r}")
        time.sleep(_POLL_S)
    return value
