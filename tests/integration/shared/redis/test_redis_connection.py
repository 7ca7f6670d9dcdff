"""The connections to Redis: what they say of it, and that no answer is ever taken for another one's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import redis

from hookline_shared.errors import LayoutMismatchError
from hookline_shared.redis.manager import RedisConnectionManager
from tests.integration.conftest import Connect
from tests.support.observability.logbook import Logbook
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.keys import keys
from tests.support.time.manual_clock import ManualClock
from tests.support.waiting import PATIENCE_S, until

LONGEST_PROBE_PAUSE_S = 10


@asynccontextmanager
async def watched(connection: RedisConnectionManager) -> AsyncIterator[asyncio.Task[None]]:
    """Probe Redis in the background, on the connection's own clock."""
    watch = asyncio.create_task(connection.monitor.run())
    try:
        yield watch
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def told(connection: RedisConnectionManager, clock: ManualClock, holds: Callable[[str | None], bool]) -> str:
    """Let it probe until the readiness check `holds`; return the check."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            await clock.wait_for_sleepers()  # the last probe is done
            if holds(connection.monitor.check()):
                return connection.monitor.check() or ""
            await clock.advance(LONGEST_PROBE_PAUSE_S)


def told_of_redis(logbook: Logbook) -> list[str]:
    """What was logged, without warnings of how the server is set up, which differ from server to server."""
    return [line["event"] for line in logbook.lines if line["event"] in ("redis unavailable", "redis answers")]


def fine(check: str | None) -> bool:
    return check is None


def trouble(check: str | None) -> bool:
    return check not in (None, "not connected yet")


async def test_not_connected_at_first(broker: RedisConnectionManager) -> None:
    """Before the first answer nothing is ready, and nothing may be written."""
    assert broker.monitor.check() == "not connected yet"
    assert not broker.monitor.ready


async def test_ready_once_redis_answers(broker: RedisConnectionManager, logbook: Logbook) -> None:
    """Readiness begins with the first answer, and with it whoever waited goes on."""
    async with watched(broker):
        await broker.monitor.wait_ready()
        assert broker.monitor.check() is None
        assert broker.monitor.ready
    assert logbook.find("redis answers") is not None


async def test_layout_is_written_once(connect: Connect, redis_url: str, redis_client: "redis.Redis") -> None:
    """The first service lays the data out, those after it find the layout there."""
    for _ in range(2):
        connection = connect(redis_url, partitions=4)
        async with watched(connection):
            await connection.monitor.wait_ready()
    assert redis_client.hgetall(keys.layout) == {b"partitions": b"4", b"schema": b"1"}


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"partitions": "16", "schema": "1"}, "partitions=16, but this service has partitions=8. Set HOOKLINE_PARTITIONS"),
        ({"partitions": "8", "schema": "2"}, "schema=2, but this service has schema=1. Run the version"),
        ({"partitions": "16"}, "partitions=16"),
    ],
)
async def test_other_layout_ends_the_watch(
    broker: RedisConnectionManager, redis_client: "redis.Redis", found: dict[str, str], message: str
) -> None:
    """Data laid out otherwise is not touched: the service ends, and says what to do."""
    for name, value in found.items():
        redis_client.hset(keys.layout, name, value)
    with pytest.raises(LayoutMismatchError, match=message):
        await broker.monitor.run()
    assert not broker.monitor.ready


async def test_flushed_layout_is_written_again(
    broker: RedisConnectionManager, clock: ManualClock, redis_client: "redis.Redis"
) -> None:
    """After FLUSHALL the layout comes back, so that a service with other partitions still notices."""
    async with watched(broker):
        await broker.monitor.wait_ready()
        redis_client.flushall()
        await clock.advance(LONGEST_PROBE_PAUSE_S)
        await until(lambda: redis_client.exists(keys.layout), "the layout is back")


async def test_wrong_password_names_the_setting_and_recovers(connect: Connect, clock: ManualClock) -> None:
    """A refused password is reported as such, without the password; once Redis takes it, all is well."""
    with RedisServer({"requirepass": "right"}) as server:
        connection = connect(server.url.replace(":right@", ":wr0ng@"))
        async with watched(connection):
            problem = await told(connection, clock, trouble)
            assert "Redis refused the user or password" in problem
            assert "REDIS_URL" in problem
            assert "wr0ng" not in problem
            with server.client as client:
                client.config_set("requirepass", "wr0ng")
            await told(connection, clock, fine)


async def test_missing_password_names_the_setting(connect: Connect, clock: ManualClock) -> None:
    """A server that wants a password nobody gave is reported as such."""
    with RedisServer({"requirepass": "right"}) as server:
        connection = connect(server.url.replace(":right@", ""))
        async with watched(connection):
            problem = await told(connection, clock, trouble)
    assert "password" in problem
    assert "REDIS_URL" in problem


async def test_unreachable_server_names_the_setting_and_recovers(
    connect: Connect, clock: ManualClock, logbook: Logbook
) -> None:
    """A service may start before its Redis: it says what is missing, once, and is ready when Redis is there."""
    with RedisServer() as server:
        server.stop()
        connection = connect(server.url)
        async with watched(connection):
            problem = await told(connection, clock, trouble)
            assert "Redis cannot be reached" in problem
            assert "REDIS_URL" in problem
            assert f"{LOOPBACK}:{server.port}" in problem
            for _ in range(3):
                await clock.advance(LONGEST_PROBE_PAUSE_S)
                await clock.wait_for_sleepers()
            assert told_of_redis(logbook) == ["redis unavailable"]
            server.start()
            await told(connection, clock, fine)
    assert told_of_redis(logbook) == ["redis unavailable", "redis answers"]


async def test_lost_server_is_noticed_and_found_again(connect: Connect, clock: ManualClock) -> None:
    """A crash shows in the readiness check, and so does the recovery."""
    with RedisServer() as server:
        connection = connect(server.url)
        async with watched(connection):
            await told(connection, clock, fine)
            server.kill()
            await told(connection, clock, trouble)
            assert connection.monitor.ready, "what was checked once need not be checked before each write"
            server.start()
            await told(connection, clock, fine)


async def test_server_that_takes_no_writes_is_not_ready(connect: Connect, clock: ManualClock) -> None:
    """A replica answers PING, yet is of no use: the probe writes."""
    with RedisServer({"replicaof": f"{LOOPBACK} {free_port()}"}) as server:
        connection = connect(server.url)
        async with watched(connection):
            problem = await told(connection, clock, trouble)
    assert "read-only replica" in problem


async def test_unix_socket(connect: Connect, clock: ManualClock) -> None:
    """A Redis on a Unix socket is as good as one on a port."""
    with RedisServer() as server:
        socket = server.folder / "redis.sock"
        server.kill()
        with RedisServer({"unixsocket": str(socket)}):
            connection = connect(f"unix://{socket}")
            async with watched(connection):
                await told(connection, clock, fine)
