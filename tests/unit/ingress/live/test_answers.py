"""Waiting for answers, many requests at once."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any

import pytest

from hookline_ingress.live.answers import Answers
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.live import LiveAnswer, Place, encode_answer
from hookline_shared.redis.manager import Command
from hookline_shared.redis_keys import Keys
from tests.support.observability.logbook import Logbook
from tests.support.time.manual_clock import ManualClock

WAIT_S = 5.0
PLACE = Place(1, "A" * 22)


class OneRedis:
    """A server with the answers in `stored`, which says nothing for a second while it `stalls`."""

    clustered = False
    keys = Keys("t")

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.stored: dict[str, bytes] = {}
        self.stalls = False

    async def pipeline(self, _operation: str, commands: Sequence[Command], timeout_s: float) -> list[bytes | None]:
        if self.stalls:
            await self.clock.sleep(timeout_s)
            raise BrokerUnavailableError("no answer")
        return [self.stored.get(command.key) for command in commands]

    async def execute(self, *_words: object, **_options: object) -> None:
        await asyncio.Event().wait()

    def answer(self, place: Place, event: str, body: str) -> None:
        self.stored[self.keys.answer(*place)] = encode_answer(LiveAnswer("reply", event=event, body=body)).encode()


class Job:
    def __init__(self, task: "asyncio.Task[None]") -> None:
        self._task = task

    async def close(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


class Supervisor:
    async def spawn(self, _name: str, work: Coroutine[Any, Any, None]) -> Job:
        return Job(asyncio.create_task(work))


class Waiting:
    """Requests that wait, and when each of them was answered, with which body; None without an answer."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.redis = OneRedis(self.clock)
        self.answers = Answers(self.redis, 4, self.clock, Logbook().logger)  # type: ignore[arg-type]
        self.ended: list[tuple[float, str | None]] = []

    def add(self, place: Place = PLACE, event_id: str = "") -> None:
        self.answers.wait(place, WAIT_S, self._end, event_id)

    def _end(self, answer: LiveAnswer | None) -> None:
        self.ended.append((self.clock.monotonic(), answer.body if answer else None))


@pytest.fixture
async def waiting() -> Any:
    """Yield requests whose answers are read."""
    waiting = Waiting()
    await waiting.answers.start(Supervisor())  # type: ignore[arg-type]
    yield waiting
    await waiting.answers.stop()


async def test_redis_that_does_not_answer_keeps_nobody_waiting(waiting: Waiting) -> None:
    """All of 5,000 requests end soon after their time, not one after the other: Twilio hangs up after 15 s."""
    waiting.redis.stalls = True
    for number in range(5000):
        waiting.add(Place(number % 4, f"{number:022}"), f"e{number}")
    await waiting.clock.advance(WAIT_S + 3)
    assert len(waiting.ended) == 5000
    assert max(seconds for seconds, _ in waiting.ended) <= WAIT_S + 0.5
    assert {body for _, body in waiting.ended} == {None}


async def test_look_for_others_delays_nobody(waiting: Waiting) -> None:
    """A request whose time ends while Redis is asked for another one does not wait for two looks."""
    waiting.redis.stalls = True
    waiting.add()  # a repeat, which is looked for at once
    await waiting.clock.advance(WAIT_S - 0.1)
    waiting.add(Place(2, "B" * 22))
    waiting.add(Place(3, "C" * 22), "e3")
    await waiting.clock.advance(WAIT_S + 2)
    assert waiting.ended[0][0] <= WAIT_S + 0.5
    assert max(seconds for seconds, _ in waiting.ended) <= 2 * WAIT_S - 0.1 + 0.5


async def test_answer_that_is_named_before_anybody_waits(waiting: Waiting) -> None:
    """A fast handler answers before ingress has read that its event is stored."""
    waiting.redis.answer(PLACE, "e1", "fast")
    waiting.answers.named(1, [PLACE.digest])
    waiting.add(event_id="e1")
    await waiting.clock.advance(0)
    assert waiting.ended == [(0.0, "fast")]


async def test_answer_to_an_earlier_event_of_equal_content(waiting: Waiting) -> None:
    """The same digit, pressed again after the dedupe window, without a token of Twilio's, is answered anew."""
    waiting.redis.answer(PLACE, "e1", "first")
    waiting.answers.named(1, [PLACE.digest])
    waiting.add(event_id="e2")
    await waiting.clock.advance(1)
    assert waiting.ended == []
    waiting.redis.answer(PLACE, "e2", "second")
    waiting.answers.named(1, [PLACE.digest])
    await waiting.clock.advance(1)
    assert [body for _, body in waiting.ended] == ["second"]


async def test_late_request_does_not_get_the_answer_to_an_earlier_event(waiting: Waiting) -> None:
    """It is held instead."""
    waiting.redis.answer(PLACE, "e1", "first")
    waiting.add(event_id="e2")
    await waiting.clock.advance(WAIT_S + 1)
    assert [body for _, body in waiting.ended] == [None]


async def test_repeat_gets_the_answer_that_is_there(waiting: Waiting) -> None:
    """Twilio's repeat of a request, or a call that comes back, knows no event."""
    waiting.redis.answer(PLACE, "e1", "first")
    waiting.add()
    await waiting.clock.advance(0)
    assert waiting.ended == [(0.0, "first")]
