"""The number of settled events that wait for the database: a metric, a warning, and finally back-pressure."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

from aiojobs import Job

from hookline_processor.ledger.metrics import LEDGER_WAITING
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.streams.ledger import LedgerStreams

_INTERVAL_S: Final = 1.0
_WARN_SHARE: Final = 0.1
"""The share of the limit above which there is a warning, so that there is time to fix the database."""
_RESUME_SHARE: Final = 0.9
"""The share of the limit below which handling resumes. At the limit itself it would stop and resume with every event."""


class LedgerBacklog:
    """Measures the ledger streams of the partitions that `owned` returns. `limit` is for one of them, in events.

    `has_room` is set while the streams are below their limit; `used_share` is the used share of the limit.
    """

    def __init__(
        self,
        streams: LedgerStreams,
        owned: Callable[[], Collection[int]],
        has_room: asyncio.Event,
        limit: float,
        clock: Clock,
        logger: Logger,
    ) -> None:
        self._streams = streams
        self._owned = owned
        self._limit = limit
        self._clock = clock
        self._logger = logger
        self._job: Job[None] | None = None
        self._warned = False
        self.events = 0
        self.used_share = 0.0
        self.has_room = has_room

    async def start(self, supervisor: Supervisor) -> None:
        """Start measuring."""
        self._job = await supervisor.spawn("ledger backlog", self._run())

    async def stop(self) -> None:
        """Stop measuring."""
        if self._job is not None:
            await self._job.close()

    def warnings(self) -> list[str]:
        """Return a warning if too many events wait."""
        if not self.has_room.is_set():
            return [f"{self.events} settled events wait for the database, the limit: no more are handled until it takes some"]
        return [f"{self.events} settled events wait for the database"] if self._warned else []

    async def update(self) -> None:
        """Measure once.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        lengths = await self._streams.lengths(self._owned())
        self.events = sum(lengths.values())
        LEDGER_WAITING.set(self.events)
        limit = self._limit * len(lengths)
        self.used_share = self.events / limit if lengths else 0.0
        self._warn(self.events > limit * _WARN_SHARE)
        if lengths and self.events >= limit:
            self._stop_handling()
        elif self.events < limit * _RESUME_SHARE or not lengths:
            self.has_room.set()

    async def _run(self) -> None:
        while True:
            with suppress(BrokerUnavailableError):  # the readiness check reports it
                await self.update()
            await self._clock.sleep(_INTERVAL_S)

    def _warn(self, on: bool) -> None:
        if on and not self._warned:
            self._logger.warning(
                "the ledger is falling behind", events=self.events, remedy="check that the database works and is fast enough"
            )
        elif self._warned and not on:
            self._logger.info("the ledger has caught up", events=self.events)
        self._warned = on

    def _stop_handling(self) -> None:
        if self.has_room.is_set():
            self._logger.error("the ledger is full; no events are handled until the database accepts some", events=self.events)
        self.has_room.clear()
