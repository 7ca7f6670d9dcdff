"""Keeps the gauges of what is not yet settled, and of what never will be, up to date."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from aiojobs import Job

from processor.metrics import BACKLOG_EVENTS, DEAD_EVENTS, OLDEST_EVENT_SECONDS, PENDING_EVENTS, RETRYING_EVENTS
from processor.slots import Slots
from shared.broker.census import count_pending
from shared.broker.connection import RedisConnectionManager
from shared.broker.dead_topics import DeadTally
from shared.broker.inspect import Backlog, backlogs
from shared.clock import Clock
from shared.errors import BrokerUnavailableError
from shared.service import Supervisor


class Look(NamedTuple):
    """What lay in Redis by topic, at a monotonic time in seconds."""

    at: float
    topics: Mapping[str, Backlog]


class BacklogGauges:
    """Looks at the streams of `partitions` partitions every `interval_s` seconds. `last` is the latest look that succeeded."""

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
        self._dead = DeadTally(redis, partitions, clock)
        self._clock = clock
        self._job: Job[None] | None = None
        self.interval_s = interval_s
        self.last: Look | None = None

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
        self.last = Look(self._clock.monotonic(), found)
        pending = await count_pending(self._redis, self._partitions, self._topics)
        dead = await self._dead.update()
        for topic in self._topics:
            PENDING_EVENTS.labels(topic).set(pending[topic])
            DEAD_EVENTS.labels(topic).set(dead[topic])

    async def _run(self) -> None:
        while True:
            with suppress(BrokerUnavailableError):  # the readiness check says so already
                await self.update()
            await self._clock.sleep(self.interval_s)
