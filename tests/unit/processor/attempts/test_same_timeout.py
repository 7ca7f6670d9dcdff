"""The time-out of an attempt beside `asyncio.timeout`: each handler must see and do the same under both."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import NamedTuple

import pytest

from hookline_processor.api.table import Handler
from hookline_processor.attempts.deadlines import Deadlines
from hookline_shared.catalogue.webhook_event import WebhookEvent
from tests.support.processor.events import event
from tests.support.time.manual_clock import ManualClock

Scenario = Callable[["Stage"], Awaitable[object]]
FINISH = "finish"
WITHDRAW = "withdraw"
EXPIRE = "expire"


class Stage:
    """What a scenario waits for, and what it saw."""

    def __init__(self) -> None:
        self.woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.seen: list[str] = []
        self.cancelling = -1

    async def wait(self) -> None:
        try:
            await self.woken
        except asyncio.CancelledError:
            self.seen.append("cancelled")
            raise


class Outcome(NamedTuple):
    """How an attempt ended, as its task and its handler saw it."""

    seen: list[str]
    result: object
    cause: type[object]
    cancelling: int


async def lets_through(subject: Stage) -> str:
    await subject.wait()
    return "finished"


async def converts(subject: Stage) -> None:
    try:
        await subject.wait()
    except asyncio.CancelledError:
        raise RuntimeError from None


async def swallows(subject: Stage) -> str:
    try:
        await subject.wait()
    except asyncio.CancelledError:
        await asyncio.sleep(0)
    return "finished"


async def cleans_up_slowly(subject: Stage) -> None:
    try:
        await subject.wait()
    finally:
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def cancels_itself(subject: Stage) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await subject.wait()


async def has_a_timeout_of_its_own(subject: Stage) -> str:
    try:
        async with asyncio.timeout(0):
            await subject.wait()
    except TimeoutError:
        subject.seen.append("timed out inside")
    return "finished"


async def lets_a_timeout_through(subject: Stage) -> None:
    async with asyncio.timeout(0):
        await subject.wait()


async def waits_for_a_task(subject: Stage) -> None:
    await asyncio.create_task(subject.wait())


SCENARIOS = [
    lets_through,
    converts,
    swallows,
    cleans_up_slowly,
    cancels_itself,
    has_a_timeout_of_its_own,
    lets_a_timeout_through,
    waits_for_a_task,
]
HAPPENINGS = [
    (EXPIRE,),
    (FINISH,),
    (WITHDRAW,),
    (EXPIRE, FINISH),
    (FINISH, EXPIRE),
    (WITHDRAW, EXPIRE),
    (EXPIRE, WITHDRAW),
]


Guard = Callable[[list[Callable[[], object]]], AbstractAsyncContextManager[None]]
"""A time-out that adds the way to let it come, in the next turn of the event loop, to a list."""


class Bell(ManualClock):
    """A clock whose only alarm can be rung from within a turn of the event loop."""

    def ring(self) -> None:
        self._elapsed_s = self._alarms[0].at
        self._alarms.pop().ring()


@asynccontextmanager
async def of_asyncio(ways: list[Callable[[], object]]) -> AsyncIterator[None]:
    async with asyncio.timeout(None) as timeout:
        ways.append(lambda: timeout.reschedule(0))
        yield


@asynccontextmanager
async def of_ours(ways: list[Callable[[], object]]) -> AsyncIterator[None]:
    clock = Bell()
    ways.append(lambda: asyncio.get_running_loop().call_soon(clock.ring))
    handler = Handler("bot.greet", lets_through, None, None, is_async=True)
    with Deadlines(clock, lambda _deadline: None).begin(handler, WebhookEvent(event()), 5, 0):
        yield


async def play(guard: Guard, scenario: Scenario, timeline: tuple[str, ...]) -> Outcome:
    """Let `timeline` come in one turn of the event loop, while `scenario` waits under `guard`."""
    subject = Stage()
    ways: list[Callable[[], object]] = []
    task = asyncio.create_task(attempt(guard(ways), scenario, subject))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    if not task.done():
        for what in timeline:
            let(what, task, subject, ways[0])
    (result,) = await asyncio.gather(task, return_exceptions=True)
    cause = result.__cause__ if isinstance(result, BaseException) else None
    shown = type(result) if isinstance(result, BaseException) else result
    return Outcome(subject.seen, shown, type(cause), subject.cancelling)


async def attempt(guard: AbstractAsyncContextManager[None], scenario: Scenario, subject: Stage) -> object:
    task = asyncio.current_task()
    assert task is not None
    try:
        async with guard:
            return await scenario(subject)
    finally:
        subject.cancelling = task.cancelling()


def let(what: str, task: "asyncio.Task[object]", subject: Stage, expire: Callable[[], object]) -> None:
    if what == EXPIRE:
        expire()
    elif what == WITHDRAW:
        task.cancel()
    elif not subject.woken.done():
        subject.woken.set_result(None)


@pytest.mark.parametrize("timeline", HAPPENINGS, ids="+".join)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_same_as_asyncio_timeout(scenario: Scenario, timeline: tuple[str, ...]) -> None:
    """Whatever a handler does, and whatever comes together with its time-out, ends as under `asyncio.timeout`."""
    assert await play(of_ours, scenario, timeline) == await play(of_asyncio, scenario, timeline)


async def test_letting_the_cancellation_through_is_a_timeout() -> None:
    """The plainest case, spelled out: the handler is cancelled, and what comes of it is a TimeoutError."""
    outcome = await play(of_ours, lets_through, (EXPIRE,))
    assert outcome == Outcome(["cancelled"], TimeoutError, asyncio.CancelledError, 0)
