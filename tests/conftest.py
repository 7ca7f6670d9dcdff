"""Fixtures that more than one kind of test uses."""

from collections.abc import Callable, Iterator

import pytest
import redis

from tests.support.redis_server import RedisServer
from tests.support.service_process import ServiceProcess


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """One server for all tests of a worker that only need some Redis."""
    server = RedisServer().start()
    yield server
    server.close()


@pytest.fixture
def redis_server(shared_redis: RedisServer) -> RedisServer:
    """An empty Redis that the test must leave running."""
    with shared_redis.client() as client:
        client.flushall()
    return shared_redis


@pytest.fixture
def redis_client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """A client of `redis_server` for assertions."""
    with redis_server.client() as client:
        yield client


@pytest.fixture
def own_redis() -> Iterator[Callable[..., RedisServer]]:
    """Start servers that the test may kill, pause or configure."""
    servers: list[RedisServer] = []

    def start(**settings: str) -> RedisServer:
        servers.append(RedisServer(**settings))
        return servers[-1].start()

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def service() -> Iterator[Callable[..., ServiceProcess]]:
    """Make service processes that end with the test."""
    services: list[ServiceProcess] = []

    def make(name: str, **settings: str) -> ServiceProcess:
        services.append(ServiceProcess(name, settings))
        return services[-1]

    yield make
    for made in services:
        made.close()
