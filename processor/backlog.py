"""Keeps the gauges of what is not yet settled up to date."""

from collections.abc import Sequence
from contextlib import suppress

from aiojobs import Job

from processor.metrics import BACKLOG_EVENTS, OLDEST_EVENT_SECONDS, RETRYING_EVENTS
from processor.slots import Slots
from shared.broker.connection import RedisConnectionManager
from shared.broker.inspect import backlogs
from shared.clock import Clock
from shared.errors import BrokerUnavailableError
from shared.service import Supervisor

_INTERVAL_S = 5.0


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
        for topic, backlog in (await backlogs(self._redis, self._partitions, self._topics)).items():
            age_ms = 0 if backlog.oldest_ms is None else self._clock.now_ms() - backlog.oldest_ms
            BACKLOG_EVENTS.labels(topic).set(backlog.events)
            OLDEST_EVENT_SECONDS.labels(topic).set(max(0, age_ms) / 1000)
            RETRYING_EVENTS.labels(topic).set(retrying[topic])

    async def _run(self) -> None:
        while True:
            with suppress(BrokerUnavailableError):  # the readiness check says so already
                await self.update()
            await self._clock.sleep(_INTERVAL_S)
