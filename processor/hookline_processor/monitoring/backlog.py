"""Looks at what is not settled, and at what never will be: for gauges, alerts, and whoever decides how many there shall run."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from aiojobs import Job

from hookline_processor.metrics import BACKLOG_EVENTS, DEAD_EVENTS, OLDEST_EVENT_SECONDS, PENDING_EVENTS, RETRYING_EVENTS
from hookline_processor.partition.slots import Slots
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.backlog import Backlog, backlogs
from hookline_shared.streams.counts import count_pending
from hookline_shared.streams.dead_letter_counts import DeadLetterCounts

_LOOKS_UNTIL_STALE: Final = 3
"""How many looks may fail until what was seen last says nothing any more."""


class BacklogSample(NamedTuple):
    """What lay in Redis by topic, at a monotonic time in seconds."""

    at: float
    topics: Mapping[str, Backlog]


class BacklogGauges:
    """Looks at the streams of `partitions` partitions every `interval_s` seconds."""

    def __init__(
        self,
        redis: RedisConnectionManager,
        partitions: int,
        topics: Sequence[str],
        slots: Slots,
        interval_s: float,
        clock: Clock,
    ) -> None:
        self._redis = redis
        self._partitions = partitions
        self._topics = topics
        self._slots = slots
        self._dead = DeadLetterCounts(redis, partitions, clock)
        self._clock = clock
        self._job: Job[None] | None = None
        self._interval_s = interval_s
        self._last: BacklogSample | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Begin to look."""
        self._job = await supervisor.spawn("backlog gauges", self._run())

    async def stop(self) -> None:
        """Look no more."""
        if self._job is not None:
            await self._job.close()

    async def update(self) -> None:
        """Look once.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        retrying = self._slots.retrying()
        found = await backlogs(self._redis, self._partitions, self._topics)
        for topic, backlog in found.items():
            BACKLOG_EVENTS.labels(topic).set(backlog.events)
            OLDEST_EVENT_SECONDS.labels(topic).set(backlog.age_s(self._clock.now_ms()))
            RETRYING_EVENTS.labels(topic).set(retrying[topic])
        self.note(found)
        pending = await count_pending(self._redis, self._partitions, self._topics)
        dead = await self._dead.update()
        for topic in self._topics:
            PENDING_EVENTS.labels(topic).set(pending[topic])
            DEAD_EVENTS.labels(topic).set(dead[topic])

    def note(self, found: Mapping[str, Backlog]) -> None:
        """Take note of what lies in Redis now, by topic."""
        self._last = BacklogSample(self._clock.monotonic(), found)

    def known(self) -> BacklogSample | None:
        """Return the latest look that succeeded; None if it is too old to say anything."""
        last = self._last
        stale = last is None or self._clock.monotonic() - last.at > _LOOKS_UNTIL_STALE * self._interval_s
        return None if stale else last

    def report(self) -> dict[str, object] | str:
        """Return what was seen last, over all partitions, not only those that are ours: `events` and `oldest_seconds`, of all
        topics and of each. If that is too long ago, say why: an old number would be taken for the truth."""
        last = self.known()
        if last is None:
            return "the backlog is unknown: Redis has not answered recently, see /readyz"
        now_ms = self._clock.now_ms()
        topics = {topic: _told(seen.events, seen.age_s(now_ms)) for topic, seen in last.topics.items()}
        oldest_s = max((seen.age_s(now_ms) for seen in last.topics.values()), default=0.0)
        return {**_told(sum(seen.events for seen in last.topics.values()), oldest_s), "topics": topics}

    async def _run(self) -> None:
        while True:
            with suppress(BrokerUnavailableError):  # the readiness check says so already
                await self.update()
            await self._clock.sleep(self._interval_s)


def _told(events: int, oldest_s: float) -> dict[str, object]:
    return {"events": events, "oldest_seconds": oldest_s}
