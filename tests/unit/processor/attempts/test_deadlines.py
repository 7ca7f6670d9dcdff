"""All time-outs on one timer: which attempts expire when, and which are reported as overdue."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from hookline_processor.api.table import Handler
from hookline_processor.attempts.deadlines import GRACE_S, Deadline, Deadlines
from hookline_shared.catalogue.webhook_event import WebhookEvent
from tests.support.processor.events import event
from tests.support.time.manual_clock import ManualClock


class Room:
    """Attempts under deadlines, on a clock turned by hand. `overdue` names those that were reported."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.overdue: list[str] = []
        self._deadlines = Deadlines(self.clock, self._report)

    async def attempt(
        self, name: str, timeout_s: float, work: Callable[[], Awaitable[object]], *, is_async: bool = True
    ) -> "asyncio.Task[None]":
        """Start an attempt; return its task once `work` is waiting."""
        task = asyncio.create_task(self._run(Handler(name, work, None, None, is_async), timeout_s, work))
        await asyncio.sleep(0)
        return task

    async def _run(self, handler: Handler, timeout_s: float, work: Callable[[], Awaitable[object]]) -> None:
        with self._deadlines.begin(handler, WebhookEvent(event()), timeout_s, self.clock.monotonic()):
            await work()

    def _report(self, deadline: Deadline) -> None:
        self.overdue.append(deadline.handler.name)


@pytest.fixture
async def room() -> Room:
    return Room()


async def hang() -> None:
    await asyncio.Event().wait()


class Stubborn:
    """Work that goes on, cancelled or not, until it is let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()

    async def __call__(self) -> None:
        while not self.let.is_set():
            with suppress(asyncio.CancelledError):
                await self.let.wait()


async def test_each_expires_at_its_own_time(room: Room) -> None:
    """Short and long time-outs, begun in any order, each end when due and not before."""
    long = await room.attempt("long", 30, hang)
    short = await room.attempt("short", 1, hang)
    await room.clock.advance(0.5)
    later = await room.attempt("later", 1, hang)
    await room.clock.advance(0.4)
    assert not any(task.done() for task in (short, later, long))
    await room.clock.advance(0.1)
    assert short.done()
    await room.clock.advance(0.4)
    assert not later.done()
    await room.clock.advance(0.1)
    assert later.done()
    await room.clock.advance(28.4)
    assert not long.done()
    await room.clock.advance(0.1)
    results = await asyncio.gather(short, later, long, return_exceptions=True)
    assert [type(result) for result in results] == [TimeoutError] * 3
    assert room.overdue == []


async def test_all_that_are_due_expire_at_once(room: Room) -> None:
    """A late event loop, or many attempts that began together, need one ring of the timer."""
    tasks = [await room.attempt("many", 1, hang) for _ in range(100)]
    await room.clock.advance(1)
    assert all(task.done() for task in tasks)
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_attempts_share_one_timer(room: Room) -> None:
    """Attempts that end in time set no timer of their own, and leave none behind once it has rung."""
    for _ in range(100):
        await (await room.attempt("quick", 30, lambda: asyncio.sleep(0)))
    running = await room.attempt("slow", 30, hang)
    assert room.clock.waiting == 1
    running.cancel()
    await room.clock.advance(30)
    assert room.clock.waiting == 0


async def test_who_ignores_its_cancellation_is_reported_once(room: Room) -> None:
    """An async handler that runs on after its time-out is named after a grace, however long it goes on."""
    stubborn = Stubborn()
    task = await room.attempt("stubborn", 5, stubborn)
    await room.clock.advance(5 + GRACE_S * 0.9)
    assert room.overdue == []
    await room.clock.advance(GRACE_S * 0.1)
    assert room.overdue == ["stubborn"]
    await room.clock.advance(1000)
    assert room.overdue == ["stubborn"]
    assert not task.done()
    stubborn.let.set()
    await task
    assert room.clock.waiting == 0


async def test_who_cleans_up_within_the_grace_is_not_reported(room: Room) -> None:
    """A handler may take a moment to end well."""
    stubborn = Stubborn()
    task = await room.attempt("tidy", 5, stubborn)
    await room.clock.advance(5 + GRACE_S * 0.9)
    stubborn.let.set()
    await task
    await room.clock.advance(10)
    assert room.overdue == []


async def test_plain_function_is_reported_and_not_cancelled(room: Room) -> None:
    """What nothing can stop is named at its time-out, and waited for."""
    stubborn = Stubborn()
    task = await room.attempt("plain", 5, stubborn.let.wait, is_async=False)
    await room.clock.advance(5)
    assert room.overdue == ["plain"]
    stubborn.let.set()
    await task


async def test_a_report_that_fails_stops_no_time_out(room: Room) -> None:
    """A mistake while reporting must not leave the other attempts without a time-out."""
    plain = await room.attempt("plain", 1, hang, is_async=False)
    other = await room.attempt("other", 2, hang)
    room.overdue = None  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        await room.clock.advance(1)
    await room.clock.advance(1)
    assert other.done()
    plain.cancel()
    await asyncio.gather(plain, other, return_exceptions=True)
