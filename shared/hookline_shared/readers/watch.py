"""Watches whether all streams are read, for alerts and warnings: what nobody reads, nobody else can report."""

from collections.abc import Collection
from contextlib import suppress
from typing import Final

from aiojobs import Job

from hookline_shared.alerts.measures import Measure
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.metrics import LIVE_PROCESSORS, UNREAD_PARTITIONS
from hookline_shared.readers.survey import Survey, register, survey
from hookline_shared.redis.manager import RedisConnectionManager

_STALE_INTERVALS: Final = 3
"""Intervals after which the latest survey is too old to use."""


class ReadersWatch:
    """Looks every `interval_s` seconds who reads the streams. `written` are the topics that this service writes."""

    def __init__(
        self, redis: RedisConnectionManager, partitions: int, written: Collection[str], interval_s: float, clock: Clock
    ) -> None:
        self._redis = redis
        self._partitions = partitions
        self._written = written
        self._interval_s = interval_s
        self._clock = clock
        self._latest: tuple[float, Survey] | None = None
        self._before: Survey | None = None
        self._shown: set[str] = set()
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Start looking, once Redis has answered."""
        self._job = await supervisor.spawn("readers watch", self._run())

    async def stop(self) -> None:
        """Stop looking."""
        if self._job is not None:
            await self._job.close()

    async def look(self) -> None:
        """Look once.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        if self._written:
            await register(self._redis, self._written, self._clock.now_ms())
        found = await survey(self._redis, self._partitions, self._written)
        self._before, self._latest = self.latest(), (self._clock.monotonic(), found)
        self._show(found)

    def latest(self) -> Survey | None:
        """Return the latest survey, None if it is too old or there is none yet."""
        if self._latest is None or self._clock.monotonic() - self._latest[0] > _STALE_INTERVALS * self._interval_s:
            return None
        return self._latest[1]

    def warnings(self) -> list[str]:
        """Return what nobody reads, one text each: what was so in two surveys, so that a restart is no warning."""
        found = self.latest()
        if found is None or self._before is None:
            return []
        before = self._before.gaps(self._written)
        return [str(gap) for gap in found.gaps(self._written) if gap in before]

    def measures(self) -> dict[str, Measure]:
        """Return the measures of the alerts by name. Where there is no processor, only that is told."""
        return {
            "processor_down": lambda _now: None if (found := self.latest()) is None else {"": float(not found.processors)},
            "partitions_differ": lambda _now: None if (found := self.latest()) is None else _each(found.miscounting()),
            "partitions_unowned": lambda _now: self._unowned(),
            "topic_unread": lambda _now: self._unread(),
        }

    def _unowned(self) -> dict[str, float] | None:
        found = self.latest()
        return None if found is None else {"": float(len(found.unowned())) if found.processors else 0.0}

    def _unread(self) -> dict[str, float] | None:
        found = self.latest()
        return (
            None
            if found is None
            else {topic: float(len(partitions)) for topic, partitions in found.unread(self._written).items()}
        )

    def _show(self, found: Survey) -> None:
        LIVE_PROCESSORS.set(len(found.processors))
        unread = found.unread(self._written)
        for topic in self._shown - unread.keys():
            UNREAD_PARTITIONS.remove(topic)
        for topic, partitions in unread.items():
            UNREAD_PARTITIONS.labels(topic).set(len(partitions))
        self._shown = set(unread)

    async def _run(self) -> None:
        await self._redis.monitor.wait_ready()
        while True:
            with suppress(BrokerUnavailableError):  # the readiness check reports it
                await self.look()
            await self._clock.sleep(self._interval_s)


def _each(found: Collection[str]) -> dict[str, float]:
    return dict.fromkeys(found, 1.0)
