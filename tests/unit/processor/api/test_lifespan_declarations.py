"""Lifespan functions in the test kit, and functions that are refused as a lifespan."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from hookline import Handlers, HandlersError, State
from hookline.testing import started
from hookline_processor.api.lifespan import HookError


async def test_death_of_its_task_fails_a_test(handlers: Handlers) -> None:
    """What would stop the service does not go unnoticed in a test of the handlers."""

    async def work() -> None:
        raise ConnectionError("no route")

    ended = asyncio.Event()

    @handlers.lifespan
    async def background(state: State) -> AsyncIterator[None]:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(work())
                yield
        finally:
            ended.set()

    async def use() -> None:
        async with started(handlers):
            await ended.wait()

    with pytest.raises(HookError, match="background failed with ExceptionGroup"):
        await use()


async def without_yield(state: State) -> None: ...


def plain_generator(state: State) -> Iterator[None]:
    yield


async def without_state() -> AsyncIterator[None]:
    yield


async def with_too_much(state: State, database: object) -> AsyncIterator[None]:
    yield


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (without_yield, "cannot be a lifespan; write async def ...(state) with one yield."),
        (plain_generator, "cannot be a lifespan; write async def ...(state) with one yield."),
        (without_state, "must take (state), but takes ()."),
        (with_too_much, "must take (state), but takes (state, database)."),
        (5, "cannot be called"),
    ],
)
def test_what_cannot_be_a_lifespan_is_refused(handlers: Handlers, function: Any, message: str) -> None:
    """At import, with file and line."""
    with pytest.raises(HandlersError) as caught:
        handlers.lifespan(function)
    assert message in str(caught.value)
    assert f"({__file__}, line " in str(caught.value)


@pytest.mark.parametrize("register", [Handlers.on_startup, Handlers.on_shutdown])
def test_hook_that_cannot_take_state_is_refused(handlers: Handlers, register: Callable[..., Any]) -> None:
    """The siblings of lifespans are called in the same way."""
    with pytest.raises(HandlersError, match=r"must take \(state\), but takes \(\)"):
        register(handlers, lambda: None)
