"""Fixtures that every test can ask for."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NoReturn
from unittest.mock import patch

import hypothesis
import pytest
import redis
import structlog

from hookline_cli.settings.rows import secrets, variables
from hookline_shared.settings.secret_files import SUFFIX
from tests.support.observability.logbook import Logbook
from tests.support.processes.services import Services
from tests.support.servers.cluster_set import ClusterSet
from tests.support.servers.postgres_server import NoPostgresError, PostgresServer
from tests.support.servers.redis_server import RedisServer
from tests.support.servers.sentinel_set import SentinelSet
from tests.support.storage.stored import Stored
from tests.support.time.manual_clock import ManualClock

# A shell's background job ignores Ctrl-C, and so would every process that it starts; tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How fast examples come depends on what else the machine does, so it decides nothing.
hypothesis.settings.register_profile("hookline", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("hookline")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hide the settings of whoever runs the tests, also those in a `.env`. Undo what the code under test sets."""
    monkeypatch.setattr("hookline_shared.settings.env_file.ENV_FILE", Path("/nonexistent/.env"))
    with patch.dict(os.environ):
        for name in [*variables(), *(name + SUFFIX for name in secrets())]:
            os.environ.pop(name, None)
        yield


@pytest.fixture
async def clock() -> ManualClock:
    """Return a clock that a test turns by hand."""
    return ManualClock()


@pytest.fixture
async def logbook() -> Logbook:
    """Return a logger whose lines can be read."""
    return Logbook()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Yield a server shared by the tests of one xdist worker: leave it running. To break one, take `own_redis`."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_client(redis_server: RedisServer) -> Iterator["redis.Redis"]:
    """Yield a blocking client, for assertions, on a server that is empty."""
    with redis_server.client as client:
        client.flushall()
        yield client


@pytest.fixture
def redis_url(redis_server: RedisServer, redis_client: "redis.Redis") -> str:
    """Return the REDIS_URL of a server that is empty."""
    assert redis_client.dbsize() == 0
    return redis_server.url


@pytest.fixture
def stored(redis_client: "redis.Redis") -> Stored:
    """Return a reader of what the services left in the shared server."""
    return Stored(redis_client)


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Undo what a command that a test ran in this process has made of the logs: the next test may look at its own."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """Yield a running server of the test's own, to kill, pause and restart; what it took survives a crash."""
    with RedisServer({"appendonly": "yes", "appendfsync": "always"}) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Yield a PostgreSQL server shared by the tests of one xdist worker: leave it running. To break one, take `own_postgres`.

    Where there is none, its tests are skipped, but never in CI.
    """
    with _postgres() as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """Yield a running PostgreSQL server of the test's own, to kill, pause and restart."""
    with _postgres() as server:
        yield server


@contextmanager
def _postgres() -> Iterator[PostgresServer]:
    try:
        server = PostgresServer().start()
    except NoPostgresError as error:
        _without_postgres(error)
    with closing(server):
        yield server


def _without_postgres(error: NoPostgresError) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(str(error), pytrace=False)
    pytest.skip(str(error))


@pytest.fixture(scope="session")
def sentinels() -> Iterator[SentinelSet]:
    """Yield Sentinels and what they watch, once for a worker. Ask for `sentinel_set`."""
    with SentinelSet() as servers:
        yield servers


@pytest.fixture
def sentinel_set(sentinels: SentinelSet) -> SentinelSet:
    """Return Sentinels with a master and replicas, well and empty, to do with as one likes."""
    return sentinels.reset()


@pytest.fixture(scope="session")
def cluster() -> Iterator[ClusterSet]:
    """Yield a cluster, once for a worker. Ask for `cluster_set`."""
    with ClusterSet() as servers:
        yield servers


@pytest.fixture
def cluster_set(cluster: ClusterSet) -> ClusterSet:
    """Return a cluster, well and empty, to do with as one likes."""
    return cluster.reset()


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    """Yield a maker of service processes, which ends all that it made."""
    made = Services(tmp_path)
    yield made
    await made.close()
