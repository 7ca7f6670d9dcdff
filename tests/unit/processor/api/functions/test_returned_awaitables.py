"""What a plain function returned runs in the event loop, and its time-out holds there."""

import asyncio
import threading
from typing import Any

from hookline import Handlers
from hookline.testing import Retry
from hookline_processor.attempts.attempts import Attempts
from hookline_processor.attempts.threads import Threads
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.retry_policy import RetryPolicy
from tests.support.observability.logbook import Logbook
from tests.support.processor.events import event as new_event
from tests.support.processor.wrapped_functions import (
    CALLS,
    Function,
    an_async,
)
from tests.support.time.manual_clock import ManualClock


class Stage:
    """Attempts with a clock that is turned by hand."""

    def __init__(self, function: Function, clock: ManualClock, logbook: Logbook) -> None:
        handlers = Handlers()
        handlers.on("message.received", timeout=5)(function)
        self.threads = Threads(2)
        self.attempts = Attempts(handlers, 5, RetryPolicy(), self.threads, clock, logbook.logger)
        self.in_flight = InFlightEvent("messages", "1-0", new_event())

    def begin(self) -> "asyncio.Task[Any]":
        return asyncio.create_task(self.attempts.make(self.in_flight))


async def test_timeout_of_what_a_plain_function_returned(clock: ManualClock, logbook: Logbook) -> None:
    """Once it runs in the event loop, it is cancelled at the time-out, as an async function is."""
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    stage = Stage(lambda _event, _context: hang(), clock, logbook)
    attempting = stage.begin()
    await begun.wait()
    assert stage.attempts.can_be_stopped(stage.in_flight)
    await clock.advance(5)
    verdict = await attempting
    assert isinstance(verdict, Retry)
    assert verdict.record.error.startswith("TimeoutError")
    assert cancelled.is_set()
    stage.threads.close()


async def test_plain_function_that_returns_too_late(clock: ManualClock, logbook: Logbook) -> None:
    """What it returns after its time-out is not begun."""
    go_on, inside = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(_event: object, _context: object) -> object:
        loop.call_soon_threadsafe(inside.set)
        go_on.wait(10)
        return an_async()

    stage = Stage(slow, clock, logbook)
    attempting = stage.begin()
    await inside.wait()
    assert not stage.attempts.can_be_stopped(stage.in_flight)
    await clock.advance(5)
    assert logbook.find("handler overdue") is not None
    go_on.set()
    verdict = await attempting
    assert isinstance(verdict, Retry)
    assert CALLS == []
    stage.threads.close()
