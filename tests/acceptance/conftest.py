"""Both services over each topology of Redis."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.support.machine import STUBBORN, Machine
from tests.acceptance.support.pair import Backend, Pair, started_pair
from tests.support.processes.services import Services
from tests.support.servers.redis_server import RedisServer


@pytest.fixture(params=["own_redis", "sentinel_set", "cluster_set"], ids=["standalone", "sentinel", "cluster"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Return a Redis that is empty, once of each topology."""
    found: Backend = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def pair(backend: Backend, services: Services, tmp_path: Path) -> AsyncIterator[Pair]:
    """Yield a started pair, over each topology of Redis."""
    async with started_pair(backend, services, tmp_path) as pair:
        yield pair


@pytest.fixture
async def single_pair(own_redis: RedisServer, services: Services, tmp_path: Path) -> AsyncIterator[Pair]:
    """Yield a started pair over `own_redis`, for tests of what one server does."""
    async with started_pair(own_redis, services, tmp_path) as pair:
        yield pair


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    """Yield a folder to run `hookline` in, with handlers that fail until a file `go` is there."""
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    made = Machine(tmp_path)
    yield made
    await made.close()
