"""The answers to live events, for the requests that wait for them.

Processors name each answer in the stream `answers` of its partition. One task reads these streams, and wakes another one,
which reads the answers that are waited for. Nobody relies on the streams alone: when the time of a request is over, its answer
is looked for once more, so a name that got lost costs time and nothing else.

    waiting ── named, or its time is over ──> looked for ── there ──> done with the answer
                                                  └── not there ──> waiting, or done with None if its time is over
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any, Final

from aiojobs import Job

from hookline_shared.clock import Cancellable, Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.live import LiveAnswer, Place, decode_answer
from hookline_shared.observability.logs import Logger
from hookline_shared.redis.manager import Command, RedisConnectionManager
from hookline_shared.redis.node import BLOCKING

_BLOCK_MS: Final = 5000
_GRACE_S: Final = 3.0
_PAUSE_S: Final = 0.5
_MOST_NAMES: Final = 1000
_MOST_LOOKS: Final = 200
_LOOK_S: Final = 1.0
"""The longest that a look takes."""
_LAST_LOOK_S: Final = 0.5
"""The longest that a late request waits for its last look, which others may be before: Twilio soon hangs up."""

Done = Callable[[LiveAnswer | None], None]
"""Called once, with the answer, or with None if it is not there in time."""


class _Waiter:
    __slots__ = ("done", "event_id", "is_late", "place", "timer")

    def __init__(self, place: Place, done: Done, event_id: str) -> None:
        self.place = place
        self.done = done
        self.event_id = event_id
        self.is_late = False
        self.timer: Cancellable | None = None


class Answers:
    """Waits for the answers to events in `partitions` partitions, for many requests at once."""

    def __init__(self, redis: RedisConnectionManager, partitions: int, clock: Clock, logger: Logger) -> None:
        self._redis = redis
        self._clock = clock
        self._logger = logger
        self._partitions = range(partitions)
        self._waiters: dict[Place, list[_Waiter]] = {}
        self._to_look: dict[Place, None] = {}
        self._named: dict[Place, None] = {}
        self._wake = asyncio.Event()
        self._jobs: list[Job[None]] = []
        self._stopped = False
        self.waiting = 0

    @property
    def is_stopped(self) -> bool:
        """Whether nobody may wait any more."""
        return self._stopped

    async def start(self, supervisor: Supervisor) -> None:
        """Begin to read."""
        groups = [[number] for number in self._partitions] if self._redis.clustered else [list(self._partitions)]
        self._jobs = [await supervisor.spawn("live answers", self._read(group)) for group in groups]
        self._jobs.append(await supervisor.spawn("live look", self._look()))

    def release(self) -> None:
        """Let nobody wait any more: all requests that do go on without an answer."""
        self._stopped = True
        for waiter in [one for waiters in self._waiters.values() for one in waiters]:
            self._finish(waiter, None)

    async def stop(self) -> None:
        """Stop reading."""
        self.release()
        for job in self._jobs:
            await job.close()

    def wait(self, place: Place, seconds: float, done: Done, event_id: str = "") -> None:
        """Call `done` with the answer at `place`, within `seconds` and half a second.

        `event_id` is that of the event if it has just been stored: an answer to another one at `place` is that to an earlier
        event of equal content. Without it, the answer may be there already.
        """
        waiter = _Waiter(place, done, event_id)
        self._waiters.setdefault(place, []).append(waiter)
        self.waiting += 1
        waiter.timer = self._clock.call_later(seconds, partial(self._expire, waiter))
        if not event_id or place in self._named:
            self._look_for(place)

    def named(self, partition: int, digests: Iterable[str]) -> None:
        """Note that there are answers in `partition`. One may be named before its request begins to wait."""
        for digest in digests:
            if (place := Place(partition, digest)) in self._waiters:
                self._look_for(place)
            self._named.pop(place, None)
            self._named[place] = None
        while len(self._named) > _MOST_NAMES:
            del self._named[next(iter(self._named))]

    def _expire(self, waiter: _Waiter) -> None:
        waiter.is_late = True
        waiter.timer = self._clock.call_later(_LAST_LOOK_S, partial(self._finish, waiter, None))
        self._look_for(waiter.place)

    def _look_for(self, place: Place) -> None:
        self._to_look[place] = None
        self._wake.set()

    def _finish(self, waiter: _Waiter, answer: LiveAnswer | None) -> None:
        others = self._waiters.get(waiter.place, [])
        if waiter not in others:
            return
        others.remove(waiter)
        if not others:
            del self._waiters[waiter.place]
        self.waiting -= 1
        if waiter.timer is not None:
            waiter.timer.cancel()
        try:
            waiter.done(answer)
        except Exception:  # of this request; the others have nothing to do with it
            self._logger.exception("a request failed inside ingress")

    async def _look(self) -> None:
        while True:
            await self._wake.wait()
            places = list(self._to_look)[:_MOST_LOOKS]
            for place in places:
                del self._to_look[place]
            if not self._to_look:
                self._wake.clear()
            await self.look(places)

    async def look(self, places: Sequence[Place]) -> None:
        """Look for the answers at `places`, once."""
        away = set()
        for place, found in zip(places, await self._found(places), strict=True):
            if isinstance(found, Exception):
                away.add(place.partition)
            self._conclude(place, None if isinstance(found, Exception) else decode_answer(found))
        if away:
            self._give_up(away)

    def _give_up(self, partitions: Collection[int]) -> None:
        """Do not look in `partitions`, which do not answer, for one request after the other: each look takes a second then."""
        for place in [one for one in self._to_look if one.partition in partitions]:
            del self._to_look[place]
            self._conclude(place, None)

    def _conclude(self, place: Place, answer: LiveAnswer | None) -> None:
        """Finish those who wait for the `answer` at `place`, and those whose time is over."""
        for waiter in list(self._waiters.get(place, ())):
            own = answer if answer is not None and waiter.event_id in ("", answer.event) else None
            if own is not None or waiter.is_late:
                self._finish(waiter, own)

    async def _found(self, places: Sequence[Place]) -> list[Any]:
        keys = [self._redis.keys.answer(*place) for place in places]
        try:
            return await self._redis.pipeline("answer", [Command(key, ("GET", key)) for key in keys], timeout_s=_LOOK_S)
        except BrokerUnavailableError as error:
            return [error] * len(places)

    async def _read(self, partitions: Sequence[int]) -> None:
        """Read the names of answers, from the oldest that Redis has: most are waited for by nobody."""
        streams = {self._redis.keys.answers(number): number for number in partitions}
        positions = dict.fromkeys(streams, "0-0")
        while True:
            try:
                await self._read_once(streams, positions)
            except BrokerUnavailableError as error:
                self._logger.debug("live answers wait for redis", error=str(error))
                await self._clock.sleep(_PAUSE_S)

    async def _read_once(self, streams: dict[str, int], positions: dict[str, str]) -> None:
        words = ("XREAD", "COUNT", str(_MOST_NAMES), "BLOCK", str(_BLOCK_MS), "STREAMS", *positions, *positions.values())
        limit_s = _BLOCK_MS / 1000 + _GRACE_S
        found = await self._redis.execute("xread", next(iter(streams)), *words, timeout_s=limit_s, pool=BLOCKING)
        for name, entries in found or ():
            stream = name.decode()
            positions[stream] = entries[-1][0].decode()
            self.named(streams[stream], [fields[1].decode() for _, fields in entries])
