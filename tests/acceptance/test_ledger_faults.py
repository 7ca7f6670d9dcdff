"""The ledger under load while its database dies, and while processors die: every event is in it once, whatever happened.

`make ledger-faults` makes it long; the numbers are printed.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from cli.database import with_engine
from processor.ledger.migrate import migrate
from tests.acceptance.flood import SETTINGS, Flood
from tests.acceptance.pair import Pair, started_pair
from tests.support.ledger import ledger_settings
from tests.support.postgres_server import PostgresServer
from tests.support.redis_server import RedisServer
from tests.support.services import Services
from tests.support.waiting import until, until_answer

AWAY_S = float(os.environ.get("HOOKLINE_LEDGER_AWAY_S", "0"))
"""How long the database is away, at least; in any case until its breaker has opened."""
LONG = AWAY_S > 0
RATE = 500 if LONG else 150
CONVERSATIONS = 500 if LONG else 100
KILLS = 3
STATE = 'hookline_breaker_state{name="database"}'
OPEN = 2.0


@asynccontextmanager
async def running(
    own_redis: RedisServer, own_postgres: PostgresServer, services: Services, folder: Path
) -> AsyncIterator[tuple[Pair, Flood, str]]:
    """Give a pair with a ledger, messages on their way to it, and where the ledger is."""
    url = own_postgres.new_database()
    await asyncio.to_thread(with_engine, ledger_settings(url), migrate)
    settings = {"DATABASE_URL": url, "LEDGER_BATCH": "50", "INGRESS_SENDER_RATE": "0", "PROCESSOR_LEASE_S": "1", **SETTINGS}
    async with started_pair(own_redis, services, folder, settings=settings) as pair:
        flood = Flood(pair.ingress.port, RATE, CONVERSATIONS)
        sending = asyncio.create_task(flood.run())
        await flood.more(RATE)
        yield pair, flood, url
        flood.end()
        await sending


async def in_ledger(url: str) -> int:
    """Count the messages in the ledger."""
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM messages"))
    finally:
        await connection.close()


async def writes(url: str) -> None:
    """Wait until more is in the ledger."""
    before = await in_ledger(url)
    await until_answer(lambda: in_ledger(url), lambda found: found > before, "the ledger grows")


async def assert_each_is_there_once(pair: Pair, flood: Flood, url: str) -> None:
    """Wait until all is settled and written, then compare: an event and a message for each that was acknowledged."""
    flood.end()
    await until(lambda: flood.seconds > 0 and pair.settled(), "all is settled")
    await until_answer(lambda: in_ledger(url), lambda found: found >= len(flood.acknowledged), "all is in the ledger")
    connection = await asyncpg.connect(url)
    try:
        messages = [row["sid"] for row in await connection.fetch("SELECT sid FROM messages")]
        events = [row["sid"] for row in await connection.fetch("SELECT sid FROM events WHERE outcome = 'done'")]
    finally:
        await connection.close()
    sent = sorted(flood.acknowledged)
    print(f"{len(sent)} acknowledged, {len(events)} events and {len(messages)} messages in the ledger, {flood.refused} refused")
    assert sorted(messages) == sent
    assert sorted(events) == sent


async def test_database_dies_under_load(
    own_redis: RedisServer, own_postgres: PostgresServer, services: Services, tmp_path: Path
) -> None:
    """Events are handled all the same; the breaker opens, and closes when it is back; nothing is missing or double."""
    async with running(own_redis, own_postgres, services, tmp_path) as (pair, flood, url):
        died_at = time.monotonic()
        own_postgres.kill()
        await until_answer(pair.processor.metrics, lambda found: found[STATE] == OPEN, "the breaker opens")
        handled = len(pair.lines())
        while time.monotonic() - died_at < AWAY_S:
            await flood.more(RATE)
        await until(lambda: len(pair.lines()) >= handled + RATE, "events are handled without the database")
        text = await pair.processor.probe("readyz?verbose", 200)
        assert "ledger" in text
        own_postgres.start()
        print(f"database away for {time.monotonic() - died_at:.1f} s, {flood.rate:.0f}/s")
        await until_answer(pair.processor.metrics, lambda found: found[STATE] == 0, "the breaker closes")
        await flood.more(RATE)
        await assert_each_is_there_once(pair, flood, url)


async def test_processor_dies_between_batches(
    own_redis: RedisServer, own_postgres: PostgresServer, services: Services, tmp_path: Path
) -> None:
    """Killed again and again while it writes: what was written and not yet removed is written again, to the same rows."""
    async with running(own_redis, own_postgres, services, tmp_path) as (pair, flood, url):
        for _ in range(KILLS):
            await flood.more(RATE)
            await writes(url)
            await pair.processor.kill()
            await pair.processor.start()
        await assert_each_is_there_once(pair, flood, url)
