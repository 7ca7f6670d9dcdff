"""The backlog of the ledger in a real Redis: a warning, then back-pressure."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest
import redis

from hookline_processor.ledger.backlog import LedgerBacklog
from hookline_shared.clock import SystemClock
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.ledger import LedgerStreams
from tests.support.observability.logbook import Logbook
from tests.support.storage.keys import keys
from tests.support.storage.ledger import put_entry

ON_UVLOOP = True
OWNED = [2, 5]

Put = Callable[..., None]


@pytest.fixture
def put(redis_client: "redis.Redis") -> Put:
    """Return a writer of ledger entries, as the settling script writes them."""
    return partial(put_entry, redis_client)


@pytest.fixture
async def backlog(broker: RedisConnectionManager, logbook: Logbook) -> LedgerBacklog:
    """Return a watch with a limit of 40 events for the two owned partitions."""
    has_room = asyncio.Event()
    has_room.set()
    return LedgerBacklog(LedgerStreams(broker), lambda: OWNED, has_room, 20, SystemClock(), logbook.logger)


async def test_backlog_is_a_warning_then_a_stop(
    backlog: LedgerBacklog, put: Put, redis_client: "redis.Redis", logbook: Logbook
) -> None:
    """From a tenth of the limit on it is a warning, at the limit there is no room, and below it there is again."""
    await backlog.update()
    assert (backlog.has_room.is_set(), backlog.warnings()) == (True, [])
    for number in range(10):
        put(f"SM{number}")
    await backlog.update()
    assert (backlog.has_room.is_set(), backlog.warnings()) == (True, ["10 settled events wait for the database"])
    for number in range(30):
        put(f"SM1{number}", OWNED[1])
    await backlog.update()
    assert not backlog.has_room.is_set()
    assert "no more are handled" in backlog.warnings()[0]
    redis_client.xtrim(keys.ledger(OWNED[1]), maxlen=0, approximate=False)
    await backlog.update()
    assert backlog.has_room.is_set()
    assert logbook.find("the ledger is full; no events are handled until the database accepts some")
