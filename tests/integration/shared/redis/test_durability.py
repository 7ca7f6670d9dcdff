"""What it takes until an event counts as written, on a real master with a real replica and a real file."""

from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY

from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.redis.durability import Durability
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appended, Appender
from hookline_shared.topics import MESSAGES
from tests.integration.conftest import Connect
from tests.support.processor.events import event
from tests.support.servers.ports import LOOPBACK
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.stored import PARTITIONS, Stored
from tests.support.waiting import until_now

LONG_S, SHORT_S = 20.0, 1.0
FAST_SYNC = {"repl-diskless-sync-delay": "0"}


@pytest.fixture
def replica(own_redis: RedisServer) -> Iterator[RedisServer]:
    """Yield a replica of `own_redis` that is in step."""
    with own_redis.client as client:
        client.config_set("repl-diskless-sync-delay", "0")
        with RedisServer(FAST_SYNC | {"replicaof": f"{LOOPBACK} {own_redis.port}"}) as server:
            until_now(lambda: client.info("replication").get("slave0", {}).get("state") == "online", "the replica is in step")
            yield server


async def append(connection: RedisConnectionManager, dedupe_key: str, timeout_s: float) -> Appended | BrokerUnavailableError:
    appender = Appender(connection, PARTITIONS, dedupe_window_s=3600, backlog_limit=1000)
    (result,) = await appender.append([(MESSAGES, event(dedupe_key))], timeout_s)
    return result


async def told(connection: RedisConnectionManager) -> str:
    """Look once; return the readiness check as text."""
    await connection.monitor.refresh()
    return str(connection.monitor.check())


async def test_replica_has_it_before_the_answer(connect: Connect, own_redis: RedisServer, replica: RedisServer) -> None:
    """An event that was confirmed is on the replica when the master dies that very moment."""
    connection = connect(own_redis.url, durability=Durability.REPLICA)
    assert await told(connection) == "None"
    assert await append(connection, "first", LONG_S) is Appended.NEW
    own_redis.kill()
    with replica.client as client:
        assert [stored.dedupe_key for stored in Stored(client).events()] == ["first"]


async def test_replicas_are_measured(connect: Connect, own_redis: RedisServer, replica: RedisServer) -> None:
    """How many replicas are in step, and how far the best one is behind, are metrics."""
    connection = connect(own_redis.url)
    await connection.monitor.refresh()
    assert REGISTRY.get_sample_value("hookline_redis_replicas") == 1
    replica.pause()
    for _ in range(50):
        await connection.execute("set", "hookline:x", "SET", "hookline:x", "y" * 1000)
    await connection.monitor.refresh()
    behind = REGISTRY.get_sample_value("hookline_redis_replica_lag_bytes")
    assert behind is not None
    assert behind > 50_000


async def test_stalled_replica_confirms_nothing(connect: Connect, own_redis: RedisServer, replica: RedisServer) -> None:
    """While no replica follows nothing is confirmed, not even as a duplicate of what the master alone has."""
    connection = connect(own_redis.url, durability=Durability.REPLICA)
    await connection.monitor.refresh()
    replica.pause()
    for _ in range(2):
        refused = await append(connection, "first", SHORT_S)
        assert isinstance(refused, BrokerUnavailableError)
        assert "No replica confirmed" in str(refused)
    replica.resume()
    assert await append(connection, "first", LONG_S) is Appended.DUPLICATE
    with replica.client as client:
        assert len(Stored(client).events()) == 1


async def test_missing_replica_is_told(connect: Connect, own_redis: RedisServer) -> None:
    """Asked for replicas where there are none, ingress is not ready, and reading goes on."""
    connection = connect(own_redis.url, durability=Durability.REPLICA)
    assert "no replica is connected" in await told(connection)
    assert await connection.execute("ping", "k", "PING") == b"PONG"


async def test_on_disk_before_the_answer(connect: Connect, own_redis: RedisServer) -> None:
    """With appendfsync always a crash right after the answer loses nothing, with WAITAOF or without."""
    connection = connect(own_redis.url, durability=Durability.FSYNC)
    assert await told(connection) == "None"
    assert await append(connection, "first", LONG_S) is Appended.NEW
    own_redis.restart()
    with own_redis.client as client:
        assert [stored.dedupe_key for stored in Stored(client).events()] == ["first"]


async def test_file_that_is_not_kept_is_told(connect: Connect, redis_url: str) -> None:
    """Without an append-only file there is no fsync to wait for."""
    assert "Set appendonly yes" in await told(connect(redis_url, durability=Durability.FSYNC))


async def test_fsync_every_second(connect: Connect) -> None:
    """WAITAOF waits for the next fsync; a server without it cannot be asked to, and that is reported."""
    with RedisServer({"appendonly": "yes", "appendfsync": "everysec"}) as server:
        connection = connect(server.url, durability=Durability.FSYNC)
        said = await told(connection)
        if has_waitaof(server):
            assert said == "None"
            assert await append(connection, "first", LONG_S) is Appended.NEW
        else:
            assert "has no WAITAOF. Set appendfsync always." in said


def has_waitaof(server: RedisServer) -> bool:
    with server.client as client:
        major, minor = str(client.info("server")["redis_version"]).split(".")[:2]
    return (int(major), int(minor)) >= (7, 2)
