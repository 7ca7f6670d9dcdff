"""How many settled events wait for the database: shown, warned of, and at last a reason to handle no more."""

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
_ALERT: Final = 0.1
"""The part of the limit from which on it is a warning: time to mend the database before anything stops."""
_ENOUGH: Final = 0.9
"""The part of the limit below which handling goes on after it stopped: else it would stop and go with every event."""


class LedgerBacklog:
    """Watches the ledger streams of the partitions that `owned` gives, which share `limit` evenly with the others.

    `room` is set while there is room for more; `fill` is the share of the limit that is used.
    """

    def __init__(
        self,
        streams: LedgerStreams,
        owned: Callable[[], Collection[int]],
        partitions: int,
        limit: int,
        clock: Clock,
        logger: Logger,
    ) -> None:
        self._streams = streams
        self._owned = owned
        self._share = limit / partitions
        self._clock = clock
        self._logger = logger
        self._job: Job[None] | None = None
        self._alarmed = False
        self.events = 0
        self.fill = 0.0
        self.room = asyncio.Event()
        self.room.set()

    async def start(self, supervisor: Supervisor) -> None:
        """Begin to look."""
        self._job = await supervisor.spawn("ledger backlog", self._run())

    async def stop(self) -> None:
        """Look no more."""
        if self._job is not None:
            await self._job.close()

    def warnings(self) -> list[str]:
        """Say whether too many wait."""
        if not self.room.is_set():
            return [f"{self.events} settled events wait for the database, the limit: no more are handled until it takes some"]
        return [f"{self.events} settled events wait for the database"] if self._alarmed else []

    async def look(self) -> None:
        """Look once.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        lengths = await self._streams.lengths(self._owned())
        self.events = sum(lengths.values())
        LEDGER_WAITING.set(self.events)
        limit = self._share * len(lengths)
        self.fill = self.events / limit if lengths else 0.0
        self._alarm(self.events > limit * _ALERT)
        if lengths and self.events >= limit:
            self._close()
        elif self.events < limit * _ENOUGH or not lengths:
            self.room.set()

    async def _run(self) -> None:
        while True:
            with suppress(BrokerUnavailableError):  # the readiness check says so already
                await self.look()
            await self._clock.sleep(_INTERVAL_S)

    def _alarm(self, on: bool) -> None:
        if on and not self._alarmed:
            self._logger.warning(
                "the ledger is falling behind", events=self.events, remedy="check that the database works and is fast enough"
            )
        elif self._alarmed and not on:
            self._logger.info("the ledger has caught up", events=self.events)
        self._alarmed = on

    def _close(self) -> None:
        if self.room.is_set():
            self._logger.error("the ledger is full; no events are handled until the database accepts some", events=self.events)
        self.room.clear()
