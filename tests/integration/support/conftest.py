"""A proxy before Redis, and clients that connect through it."""

from collections.abc import AsyncIterator, Callable

import pytest
import redis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tests.support.faults.fault_proxy import FaultProxy
from tests.support.servers.redis_server import RedisServer

Connect = Callable[[], "Redis"]


@pytest.fixture
async def proxy(redis_server: RedisServer, redis_client: "redis.Redis") -> AsyncIterator[FaultProxy]:
    """Yield a proxy before the shared server, whose database is empty."""
    assert redis_client.dbsize() == 0
    async with FaultProxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
async def connect(proxy: FaultProxy) -> AsyncIterator[Connect]:
    """Yield a maker of clients, which never try anything twice."""
    made: list[Redis] = []

    def make() -> "Redis":
        made.append(Redis.from_url(proxy.url, protocol=2, retry=Retry(NoBackoff(), 0), socket_timeout=None))
        return made[-1]

    yield make
    for client in made:
        await client.aclose()


@pytest.fixture
async def client(connect: Connect) -> "Redis":
    """Return a client that is connected."""
    client = connect()
    await client.ping()
    return client
