"""Measures unsettled events and dead letters: for metrics, alerts, and autoscaling."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from aiojobs import Job

from hookline_processor.metrics import (
    BACKLOG_EVENTS,
    DEAD_EVENTS,
    OLDEST_EVENT_SECONDS,
    PENDING_EVENTS,
    RETRYING_EVENTS,
    WAITING_EVENTS,
)
from hookline_processor.partition.waiting.conditions import FAMILIES
from hookline_processor.partition.waiting.waiting_sets import TIME, WaitingTotals
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.backlog import Backlog, backlogs, total
from hookline_shared.streams.counts import count_pending
from hookline_shared.streams.dead_letter_counts import DeadLetterCounts

_STALE_INTERVALS: Final = 3
"""Intervals after which the latest sample is too old to use."""


class BacklogSample(NamedTuple):
    """The backlog of each topic, at a monotonic time in seconds."""

    at: float
    topics: Mapping[str, Backlog]


class BacklogGauges:
    """Measures the streams of `partitions` partitions every `interval_s` seconds."""

    def __init__(
        self,
        redis: RedisConnectionManager,
        partitions: int,
        topics: Sequence[str],
        waiting: WaitingTotals,
        interval_s: float,
        clock: Clock,
    ) -> None:
        self._redis = redis
        self._partitions = partitions
        self._topics = topics
        self._waiting = waiting
        self._dead = DeadLetterCounts(redis, partitions, clock)
        self._clock = clock
        self._job: Job[None] | None = None
        self._interval_s = interval_s
        self._latest: BacklogSample | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Start measuring."""
        self._job = await supervisor.spawn("backlog gauges", self._run())

    async def stop(self) -> None:
        """Stop measuring."""
        if self._job is not None:
            await self._job.close()

    async def update(self) -> None:
        """Measure once, and set the gauges.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        found = await backlogs(self._redis, self._partitions, self._topics)
        for topic, backlog in found.items():
            BACKLOG_EVENTS.labels(topic).set(backlog.events)
            OLDEST_EVENT_SECONDS.labels(topic).set(backlog.age_s(self._clock.now_ms()))
            waiting = self._waiting.by_reason(topic)
            RETRYING_EVENTS.labels(topic).set(waiting[TIME])
            for reason in (TIME, *FAMILIES):
                WAITING_EVENTS.labels(topic, reason).set(waiting[reason])
        self.record(found)
        pending = await count_pending(self._redis, self._partitions, self._topics)
        dead = await self._dead.update()
        for topic in self._topics:
            PENDING_EVENTS.labels(topic).set(pending[topic])
            DEAD_EVENTS.labels(topic).set(dead[topic])

    def record(self, found: Mapping[str, Backlog]) -> None:
        """Store `found`, the backlog of each topic, as the latest sample."""
        self._latest = BacklogSample(self._clock.monotonic(), found)

    def latest(self) -> BacklogSample | None:
        """Return the latest sample, or None if it is too old."""
        sample = self._latest
        stale = sample is None or self._clock.monotonic() - sample.at > _STALE_INTERVALS * self._interval_s
        return None if stale else sample

    def report(self) -> dict[str, object] | str:
        """Return `events`, `scheduled` and `oldest_seconds` of all topics and of each topic, over all partitions.

        `Backlog` explains them. They are those of all processors.

        If the latest sample is too old, return an error text instead: an autoscaler would trust an old number.
        """
        sample = self.latest()
        if sample is None:
            return "the backlog is unknown: Redis has not answered recently, see /readyz"
        now_ms = self._clock.now_ms()
        topics = {topic: _as_fields(backlog, now_ms) for topic, backlog in sample.topics.items()}
        return {**_as_fields(total(sample.topics.values()), now_ms), "topics": topics}

    async def _run(self) -> None:
        while True:
            with suppress(BrokerUnavailableError):  # the readiness check reports it
                await self.update()
            await self._clock.sleep(self._interval_s)


def _as_fields(backlog: Backlog, now_ms: int) -> dict[str, object]:
    return {"events": backlog.events, "scheduled": backlog.scheduled, "oldest_seconds": backlog.age_s(now_ms)}
