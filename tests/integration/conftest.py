"""Connections to Redis as a service makes them, and an ingress."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine

from hookline_processor.ledger.database.engine import make_engine
from hookline_processor.ledger.database.migrate import migrate
from hookline_shared.redis.durability import Durability
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.redis.options import RedisOptions
from hookline_shared.streams.consume import Consumer
from hookline_shared.topics import DEFAULT_TOPICS
from tests.support.ingress.local_ingress import LocalIngress, ingress_settings, running_ingress
from tests.support.observability.logbook import Logbook
from tests.support.processor.feed import PARTITION, Feed, claim
from tests.support.servers.postgres_server import PostgresServer
from tests.support.storage.ledger import ledger_settings
from tests.support.storage.stored import PARTITIONS
from tests.support.time.manual_clock import ManualClock

Connect = Callable[..., RedisConnectionManager]


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Return the event loop of the services to modules that say `ON_UVLOOP`; asyncio's own tells more about a failure."""
    module = getattr(item, "module", None)
    return {"uvloop": uvloop.new_event_loop} if hasattr(module, "ON_UVLOOP") else {"asyncio": asyncio.new_event_loop}


@pytest.fixture
async def connect(clock: ManualClock, logbook: Logbook) -> AsyncIterator[Connect]:
    """Yield a maker of connection managers for a URL, which are closed after the test."""
    made: list[RedisConnectionManager] = []

    def make(
        url: str, partitions: int = PARTITIONS, durability: Durability = Durability.MEMORY, **options: Any
    ) -> RedisConnectionManager:
        told = RedisOptions(url=url, **options)
        made.append(RedisConnectionManager(told, partitions, clock, logbook.logger, durability))
        return made[-1]

    yield make
    for connection in made:
        await connection.close()


@pytest.fixture
async def broker(connect: Connect, redis_url: str) -> RedisConnectionManager:
    """Return a connection manager of the shared server, whose database is empty. A partition reads on two connections."""
    return connect(redis_url, blocking_pool_size=2)


@pytest.fixture
async def ingress(redis_url: str) -> AsyncIterator[LocalIngress]:
    """Yield an ingress that is ready, on an empty Redis."""
    async with running_ingress(ingress_settings(redis_url)) as ingress:
        yield ingress


@pytest.fixture
async def consumer(broker: RedisConnectionManager) -> Consumer:
    """Return a consumer of the partition that `feed` feeds; its groups exist."""
    consumer = Consumer(broker, PARTITION, DEFAULT_TOPICS, await claim(broker))
    await consumer.ensure_groups()
    return consumer


@pytest.fixture
async def feed(broker: RedisConnectionManager) -> Feed:
    """Return a writer of new events."""
    return Feed(broker)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the HOOKLINE_LEDGER_URL of an empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield an engine of a database that has the ledger's tables."""
    engine = make_engine(ledger_settings(database_url))
    await migrate(engine)
    yield engine
    await engine.dispose()
