"""Looks at what is not yet settled, for the gauges and for whoever decides how many processors there should be."""

from collections.abc import Sequence
from contextlib import suppress
from math import inf
from typing import Final

from aiojobs import Job

from processor.metrics import BACKLOG_EVENTS, OLDEST_EVENT_SECONDS, RETRYING_EVENTS
from processor.slots import Slots
from shared.broker.connection import RedisConnectionManager
from shared.broker.inspect import Backlog, backlogs
from shared.clock import Clock
from shared.errors import BrokerUnavailableError
from shared.service import Supervisor

_INTERVAL_S: Final = 5.0
_STALE_S: Final = 15.0
"""Age in seconds above which what was seen last says nothing any more."""


class BacklogGauges:
    """Looks at the streams of `partitions` partitions every few seconds."""

    def __init__(
        self, redis: RedisConnectionManager, partitions: int, topics: Sequence[str], slots: Slots, clock: Clock
    ) -> None:
        self._redis = redis
        self._partitions = partitions
        self._topics = topics
        self._slots = slots
        self._clock = clock
        self._seen: dict[str, Backlog] = {}
        self._seen_at = -inf
        self._job: Job[None] | None = None

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
        self._seen = await backlogs(self._redis, self._partitions, self._topics)
        self._seen_at = self._clock.monotonic()
        for topic, backlog in self._seen.items():
            BACKLOG_EVENTS.labels(topic).set(backlog.events)
            OLDEST_EVENT_SECONDS.labels(topic).set(self._age_s(backlog))
            RETRYING_EVENTS.labels(topic).set(retrying[topic])

    def report(self) -> dict[str, object] | str:
        """Give what was seen last, over all partitions, not only those that are ours: `events` and `oldest_seconds`, of all
        topics and of each. If that is too long ago, say why: an old number would be taken for the truth."""
        if self._clock.monotonic() - self._seen_at > _STALE_S:
            return "Redis has not told the backlog lately, see /readyz"
        topics = {topic: _told(seen.events, self._age_s(seen)) for topic, seen in self._seen.items()}
        oldest_s = max(map(self._age_s, self._seen.values()), default=0.0)
        return {**_told(sum(seen.events for seen in self._seen.values()), oldest_s), "topics": topics}

    def _age_s(self, backlog: Backlog) -> float:
        return 0.0 if backlog.oldest_ms is None else max(0, self._clock.now_ms() - backlog.oldest_ms) / 1000

    async def _run(self) -> None:
        while True:
            with suppress(BrokerUnavailableError):  # the readiness check says so already
                await self.update()
            await self._clock.sleep(_INTERVAL_S)


def _told(events: int, oldest_s: float) -> dict[str, object]:
    return {"events": events, "oldest_seconds": oldest_s}
