"""Functions inside of functions: what is registered is judged by itself, not by what it wraps, and whatever runs, succeeds."""

import asyncio
import functools
import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest

from hookline import Context, Handlers, MessageReceived
from hookline.testing import Done, Retry, deliver, started
from hookline_processor.attempts.attempts import Attempts
from hookline_processor.attempts.threads import Threads
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.retry_policy import RetryPolicy
from hookline_shared.observability.logs import get_logger
from tests.support.processor.events import event as new_event
from tests.support.processor.wrapped_functions import (
    AROUND_ASYNC,
    AROUND_PLAIN,
    CALLS,
    HIDING,
    Decorator,
    Function,
    a_plain,
    an_async,
    as_a_method,
    awaits,
    gathers,
    in_a_lambda,
    in_an_async_object,
    in_an_object,
    in_an_object_that_wraps,
    makes_a_task,
    passes_on,
    runs,
    runs_in_ours,
)
from tests.support.time.manual_clock import ManualClock


@pytest.fixture
def collected() -> Iterator[None]:
    """Let no coroutine of a first call, which fails in a thread, be found in a later test. The thread has it until it ends."""
    yield
    for thread in threading.enumerate():
        if thread.name.startswith(("handler", "hook")):
            thread.join()
    gc.collect()


@pytest.mark.usefixtures("collected")
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")  # the first call, in a thread, fails
@pytest.mark.parametrize("outer", [None, passes_on, awaits, functools.partial, in_a_lambda, in_an_object])
@pytest.mark.parametrize("decorator", AROUND_ASYNC)
async def test_async_handler_inside_of_anything(decorator: Decorator, outer: Decorator | None) -> None:
    """It runs once for each event, however it is wrapped, the second time as the first."""
    handlers, function = Handlers(), decorator(an_async)
    if (outer is awaits and decorator in (runs, runs_in_ours)) or (outer in HIDING and decorator in (makes_a_task, gathers)):
        outer = passes_on  # there is nothing to await; or nobody can see that it needs the event loop
    handlers.on("message.received")(outer(function) if outer else function)
    await assert_handled(handlers, "async")


@pytest.mark.parametrize("outer", [None, passes_on, functools.partial, in_a_lambda, in_an_object])
@pytest.mark.parametrize("decorator", AROUND_PLAIN)
async def test_plain_handler_inside_of_anything(decorator: Decorator, outer: Decorator | None) -> None:
    """The same of a plain function, also if an async one wraps it."""
    handlers, function = Handlers(), decorator(a_plain)
    handlers.on("message.received")(outer(function) if outer else function)
    await assert_handled(handlers, "plain")


async def assert_handled(handlers: Handlers, what: str) -> None:
    """Handle several events with the same attempts, as a processor does."""
    threads = Threads(2)
    attempts = Attempts(handlers, 5, RetryPolicy(), threads, ManualClock(), get_logger("test"))
    for number in range(1, 4):
        assert await attempts.make(InFlightEvent("messages", "1-0", new_event())) == Done()
        assert [what] * number == CALLS
    threads.close()


@pytest.mark.parametrize("mock", [AsyncMock, MagicMock])
async def test_mock_as_a_handler(mock: Callable[..., Any]) -> None:
    """Mocks stand for functions in tests of handlers."""
    handlers, made = Handlers(), mock(return_value=None)
    handlers.on("message.received")(made)
    handler = handlers.find("message.received")
    assert handler is not None
    assert handler.is_async is isinstance(made, AsyncMock)
    assert await deliver(handlers, "message.received") == Done()
    made.assert_called_once()
    if isinstance(made, AsyncMock):
        made.assert_awaited_once()


async def test_plain_handler_that_needs_the_event_loop() -> None:
    """It cannot succeed, and the error says what to write."""
    handlers = Handlers()
    handlers.on("message.received")(lambda _event, _context: asyncio.get_running_loop())
    outcome = await deliver(handlers, "message.received")
    assert isinstance(outcome, Retry)
    assert outcome.failure is not None
    assert "which has no event loop: declare it async def." in outcome.failure.traceback


@pytest.mark.usefixtures("collected")
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("decorator", AROUND_ASYNC)
async def test_async_hooks_inside_of_anything(decorator: Decorator) -> None:
    """Hooks are judged like handlers."""
    handlers, function = Handlers(), decorator(an_async)
    handlers.on_startup(function)
    handlers.on_shutdown(function)
    async with started(handlers):
        assert CALLS == ["async"]
    assert CALLS == ["async", "async"]


@pytest.mark.parametrize("decorator", AROUND_PLAIN)
async def test_plain_hooks_inside_of_anything(decorator: Decorator) -> None:
    """The same of plain functions."""
    handlers, function = Handlers(), decorator(a_plain)
    handlers.on_startup(function)
    async with started(handlers):
        assert CALLS == ["plain"]


async def around(event: MessageReceived, context: Context, call_next: Function) -> None:
    CALLS.append("in")
    await call_next(event, context)
    CALLS.append("out")


def in_a_lambda_of_three(function: Function) -> Function:
    return lambda event, context, call_next: function(event, context, call_next)  # noqa: PLW0108 - that is what is tried


@pytest.mark.parametrize(
    "decorator",
    [
        *(passes_on, makes_a_task, gathers, awaits, in_a_lambda_of_three, in_an_async_object, in_an_object_that_wraps),
        *(as_a_method, functools.partial),
    ],
)
@pytest.mark.parametrize("handler", [an_async, a_plain])
async def test_middleware_inside_of_anything(decorator: Decorator, handler: Function) -> None:
    """Middleware that gives something to await is awaited."""
    handlers = Handlers()
    handlers.middleware(decorator(around))
    handlers.on("message.received")(handler)
    assert await deliver(handlers, "message.received") == Done()
    assert ["in", "async" if handler is an_async else "plain", "out"] == CALLS


async def test_middleware_that_gives_nothing_to_await() -> None:
    """It has run nothing, so the event is not taken for done, and the error says what to write."""
    handlers = Handlers()
    handlers.middleware(lambda event, context, call_next: None)  # type: ignore[type-var]
    handlers.on("message.received")(an_async)
    outcome = await deliver(handlers, "message.received")
    assert isinstance(outcome, Retry)
    assert outcome.failure is not None
    assert outcome.failure.message.endswith("returned None; make it async def, and await call_next")
