"""The ledger while things go wrong under load: nobody is held up, and afterwards the tables have each event once.

HOOKLINE_LEDGER_OUTAGE_S says how long the database is away at least, for a longer run than that of every day.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from hookline_processor.ledger.database.engine import make_engine
from hookline_processor.ledger.database.migrate import migrate
from tests.acceptance.support.flood import SETTINGS, Flood
from tests.acceptance.support.pair import Pair, started_pair
from tests.support.processes.services import Services
from tests.support.servers.postgres_server import PostgresServer
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.keys import keys
from tests.support.storage.ledger import ledger_settings
from tests.support.storage.stored import PARTITIONS
from tests.support.waiting import until, until_answer

RATE, CONVERSATIONS = 500, 200
OUTAGE_S = float(os.environ.get("HOOKLINE_LEDGER_OUTAGE_S", "1"))
_BREAKER = 'hookline_breaker_state{name="database"}'


@pytest.fixture
async def database_url(own_postgres: PostgresServer) -> str:
    """Return a database with the ledger's tables."""
    url = own_postgres.new_database()
    engine = make_engine(ledger_settings(url))
    await migrate(engine)
    await engine.dispose()
    return url


@pytest.fixture
async def pair(own_redis: RedisServer, services: Services, tmp_path: Path, database_url: str) -> AsyncIterator[Pair]:
    """Yield a pair that keeps a ledger."""
    settings = {**SETTINGS, "HOOKLINE_LEDGER_URL": database_url, "LEDGER_BATCH": "100"}
    async with started_pair(own_redis, services, tmp_path, settings=settings) as pair:
        yield pair


def waiting(pair: Pair) -> int:
    return sum(pair.redis.xlen(keys.ledger(partition)) for partition in range(PARTITIONS))


def handled(pair: Pair) -> int:
    return len(pair.lines())


async def stored(database_url: str) -> tuple[list[str], list[str]]:
    """Return the SIDs of all events and of all messages."""
    connection = await asyncpg.connect(database_url)
    try:
        events = await connection.fetch("SELECT sid FROM events ORDER BY sid")
        messages = await connection.fetch("SELECT sid FROM messages ORDER BY sid")
    finally:
        await connection.close()
    return [row["sid"] for row in events], [row["sid"] for row in messages]


async def assert_each_once(pair: Pair, flood: Flood, database_url: str) -> None:
    """Wait until all is settled and moved, then compare."""
    await until(pair.settled, "all is settled")
    await until(lambda: not waiting(pair), "all is in the database")
    events, messages = await stored(database_url)
    print(f"{len(flood.acknowledged)} acknowledged, {len(events)} events and {len(messages)} messages in the tables")
    assert events == messages == sorted(flood.acknowledged)


async def breaker_is(pair: Pair, state: int) -> None:
    await until_answer(pair.processor.metrics, lambda found: found[_BREAKER] == state, f"the breaker is {state}")


async def test_database_killed_under_load(pair: Pair, own_postgres: PostgresServer, database_url: str) -> None:
    """PostgreSQL is away for a while at 500 events a second: handling goes on, and the pool goes on without a restart."""
    flood = Flood(pair.ingress.port, RATE, CONVERSATIONS)
    load = asyncio.create_task(flood.run())
    await flood.more(RATE)
    await asyncio.to_thread(own_postgres.kill)
    await breaker_is(pair, 2)
    before, begun = handled(pair), flood.seconds
    await until(lambda: handled(pair) > before + RATE, "handling goes on")
    await pair.processor.probe("readyz", 200)
    assert "history waits in Redis" in await pair.processor.probe("readyz?verbose", 200)
    while flood.seconds < begun + OUTAGE_S:
        await flood.more(RATE // 2)
    assert waiting(pair) > RATE
    pid = pair.processor.pid
    await asyncio.to_thread(own_postgres.start)
    await breaker_is(pair, 0)
    await flood.more(RATE)
    flood.end()
    await load
    assert flood.refused == 0
    await assert_each_once(pair, flood, database_url)
    assert pair.processor.pid == pid
    assert pair.processor.exit_code is None
    found = await pair.processor.metrics()
    assert found['hookline_database_pool_connections{state="in_use"}'] == 0
    print(f"away for {flood.seconds - begun:.0f} s, {flood.rate:.0f} events/s")


async def test_database_stalled_under_load(pair: Pair, own_postgres: PostgresServer, database_url: str) -> None:
    """A database that takes connections and answers nothing holds up nobody either."""
    flood = Flood(pair.ingress.port, RATE, CONVERSATIONS)
    load = asyncio.create_task(flood.run())
    await flood.more(RATE)
    own_postgres.pause()
    before = handled(pair)
    await until(lambda: handled(pair) > before + 2 * RATE, "handling goes on")
    own_postgres.resume()
    flood.end()
    await load
    await assert_each_once(pair, flood, database_url)


async def test_processor_killed_in_the_middle_of_batches(pair: Pair, database_url: str) -> None:
    """Killed again and again while it writes, it leaves nothing out and nothing twice."""
    flood = Flood(pair.ingress.port, RATE, CONVERSATIONS)
    load = asyncio.create_task(flood.run())
    for _ in range(3):
        await flood.more(RATE)
        await until(lambda: waiting(pair) > 0, "something is on its way")
        await pair.processor.kill()
        await pair.processor.start()
    flood.end()
    await load
    await assert_each_once(pair, flood, database_url)


async def test_full_ledger_stops_the_handling(
    own_redis: RedisServer, own_postgres: PostgresServer, services: Services, tmp_path: Path, database_url: str
) -> None:
    """At its limit the ledger is a reason to wait: nothing is lost, and it goes on by itself once the database is back."""
    settings = {**SETTINGS, "HOOKLINE_LEDGER_URL": database_url, "LEDGER_BACKLOG_LIMIT": "200"}
    async with started_pair(own_redis, services, tmp_path, settings=settings) as pair:
        await asyncio.to_thread(own_postgres.kill)
        flood = Flood(pair.ingress.port, RATE, CONVERSATIONS)
        load = asyncio.create_task(flood.run())
        await pair.processor.logged("the ledger is full; no events are handled until the database accepts some")
        await flood.more(RATE)
        flood.end()
        await load
        await asyncio.to_thread(own_postgres.start)
        await assert_each_once(pair, flood, database_url)
