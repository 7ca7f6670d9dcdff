"""Removes rows older than LEDGER_RETENTION_DAYS every hour, in the processor that owns the first partition."""

from collections.abc import Awaitable, Callable, Collection
from typing import Final

from aiojobs import Job
from sqlalchemy.ext.asyncio import AsyncEngine

from hookline_processor.ledger.metrics import LEDGER_REMOVED
from hookline_processor.ledger.removal import purge
from hookline_shared.clock import Clock
from hookline_shared.errors import HooklineError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger

_INTERVAL_S: Final = 3600.0
_FIRST_DELAY_S: Final = 10.0
_CLEANER_PARTITION: Final = 0
_SKEW_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000


class Retention:
    """Removes rows older than `days` days. `owned` returns the partitions of this processor.

    `server_now` returns Unix time in milliseconds on the clock of Redis. A row must be too old by both clocks: one that
    is a year ahead would otherwise remove all history.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        days: float,
        owned: Callable[[], Collection[int]],
        server_now: Callable[[], Awaitable[int]],
        clock: Clock,
        logger: Logger,
    ) -> None:
        self._engine = engine
        self._days = days
        self._owned = owned
        self._server_now = server_now
        self._clock = clock
        self._logger = logger
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Start, with a first pass after ten seconds."""
        self._job = await supervisor.spawn("ledger retention", self._run())

    async def stop(self) -> None:
        """Stop removing rows."""
        if self._job is not None:
            await self._job.close()

    async def pass_once(self) -> None:
        """Remove rows that are too old, if this processor owns the first partition.

        Raises:
            HooklineError: if Redis or the database cannot be used now, or the database refuses to remove a row that others
                refer to.

        """
        if _CLEANER_PARTITION in self._owned():
            now_ms, server_ms = self._clock.now_ms(), await self._server_now()
            if abs(now_ms - server_ms) > _SKEW_MS:
                self._logger.warning(
                    "the clocks of this machine and of Redis differ, so history is kept for longer",
                    seconds=round((now_ms - server_ms) / 1000),
                    remedy="synchronise both with NTP",
                )
            before = min(now_ms, server_ms) - round(self._days * DAY_MS)
            await purge(self._engine, before, lambda table, rows: LEDGER_REMOVED.labels(table).inc(rows))

    async def _run(self) -> None:
        await self._clock.sleep(_FIRST_DELAY_S)
        while True:
            try:
                await self.pass_once()
            except HooklineError as error:
                self._logger.warning("old history could not be removed", error=str(error))
            await self._clock.sleep(_INTERVAL_S)
