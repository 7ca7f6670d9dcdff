"""Writers of the ledger between a real Redis and a real database."""

from collections.abc import Callable
from functools import partial

import pytest
import redis
from sqlalchemy.ext.asyncio import AsyncEngine

from hookline_processor.ledger.body_policy import BodyPolicy
from hookline_processor.ledger.database.store import Store
from hookline_processor.ledger.writer import LedgerWriter, WriterLimits
from hookline_shared.breaker import Breaker
from hookline_shared.clock import SystemClock
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.ledger import LedgerStreams
from tests.support.observability.logbook import Logbook
from tests.support.storage.ledger import put_entry
from tests.support.storage.ledger_writers import BATCH, OWNED, Put, is_outage


@pytest.fixture
def put(redis_client: "redis.Redis") -> Put:
    """Return a writer of ledger entries, as the settling script writes them."""
    return partial(put_entry, redis_client)


@pytest.fixture
def make(broker: RedisConnectionManager, logbook: Logbook) -> Callable[[AsyncEngine], LedgerWriter]:
    """Return a maker of writers for the owned partitions."""

    def make(engine: AsyncEngine, timeout_s: float = 10, breaker: Breaker | None = None, batch: int = BATCH) -> LedgerWriter:
        clock = SystemClock()
        guard = breaker or Breaker("database", clock, logbook.logger, fail_max=3, counts=is_outage)
        limits = WriterLimits(batch, timeout_s, BodyPolicy.KEEP)
        return LedgerWriter(LedgerStreams(broker), Store(engine), guard, lambda: OWNED, limits, clock, logbook.logger)

    return make
