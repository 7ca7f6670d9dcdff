"""Building the ledger of one processor from its parts."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from typing import Final

from hookline_processor.ledger.backlog import LedgerBacklog
from hookline_processor.ledger.database.engine import close, database_of, make_engine, prepare_file
from hookline_processor.ledger.database.errors import DatabaseUnavailableError
from hookline_processor.ledger.database.pool_gauges import count_waiting, export_pool_metrics
from hookline_processor.ledger.database.store import Store
from hookline_processor.ledger.retention import Retention
from hookline_processor.ledger.settings import LedgerSettings
from hookline_processor.ledger.writer import LedgerWriter, WriterLimits
from hookline_shared.breaker import Breaker
from hookline_shared.clock import Clock
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.ledger import LedgerStreams
from hookline_shared.streams.ownership.membership import server_now

_FLUSH_TIMEOUT_S: Final = 2.0


class Ledger:
    """Writes the history of those partitions, of `partitions` in all, that `owned` returns.

    Handling goes on without the database: the rows wait in Redis, and `has_room` is cleared while they are too many. `file` is
    the path of the SQLite file, None if the database is a server.
    """

    def __init__(
        self,
        settings: LedgerSettings,
        redis: RedisConnectionManager,
        partitions: int,
        owned: Callable[[], Collection[int]],
        has_room: asyncio.Event,
        clock: Clock,
        logger: Logger,
    ) -> None:
        with suppress(DatabaseUnavailableError):  # the writer reports it, and continues once it is fixed
            prepare_file(settings)
        self._engine = make_engine(settings)
        export_pool_metrics(self._engine)
        streams = LedgerStreams(redis)
        self._backlog = LedgerBacklog(streams, owned, has_room, settings.backlog_limit / partitions, clock, logger)
        breaker = Breaker(
            "database",
            clock,
            logger,
            fail_max=settings.breaker_failures,
            counts=lambda error: isinstance(error, DatabaseUnavailableError),
        )
        limits = WriterLimits(settings.batch, settings.command_timeout_s, settings.bodies)
        self._writer = LedgerWriter(streams, Store(self._engine), breaker, owned, limits, clock, logger)
        days = settings.retention_days
        self._retention = (
            None if days is None else Retention(self._engine, days, owned, partial(server_now, redis), clock, logger)
        )
        self.file = database_of(settings).file

    async def start(self, supervisor: Supervisor) -> None:
        """Start writing."""
        await self._backlog.start(supervisor)
        await self._writer.start(supervisor)
        if self._retention is not None:
            await self._retention.start(supervisor)

    async def stop(self, partitions: Collection[int]) -> None:
        """Write the remaining events of `partitions` if that is quick, then close the database."""
        await self._backlog.stop()
        if self._retention is not None:
            await self._retention.stop()
        await self._writer.stop()
        await self._writer.flush(partitions, _FLUSH_TIMEOUT_S)
        await close(self._engine)

    @property
    def used_share(self) -> float:
        """The share of the backlog limit that is used, from 0 to 1 or more."""
        return self._backlog.used_share

    def waiting_for_connection(self) -> float:
        """Return the number of calls that wait for a connection to the database because all are in use."""
        return count_waiting()

    def warnings(self) -> list[str]:
        """Return the current problems, one text each."""
        return [*self._writer.warnings(), *self._backlog.warnings()]
