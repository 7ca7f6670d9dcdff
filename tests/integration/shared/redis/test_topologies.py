"""REDIS_URL in all its forms against real servers: what works, and what each mistake is told as."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appended, Appender
from hookline_shared.streams.limits.rate_limits import SharedLimits, Usage
from hookline_shared.topics import MESSAGES
from tests.integration.conftest import Connect
from tests.support.deployment.permissions import documented_permissions
from tests.support.processor.events import event, key_of
from tests.support.servers.cluster_set import ClusterSet
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.redis_server import RedisServer
from tests.support.servers.scripted_redis import ScriptedRedis, bulk
from tests.support.servers.sentinel_set import SentinelSet
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS, Stored

TIMEOUT_S = 20.0


async def appended_everywhere(connection: RedisConnectionManager) -> None:
    """Append to every partition in one batch."""
    appender = Appender(connection, PARTITIONS, dedupe_window_s=3600, backlog_limit=1000)
    batch = [(MESSAGES, event(key=key_of(partition))) for partition in range(PARTITIONS)]
    assert await appender.append(batch, TIMEOUT_S) == [Appended.NEW] * PARTITIONS
    assert await appender.append(batch, TIMEOUT_S) == [Appended.DUPLICATE] * PARTITIONS


async def check(connection: RedisConnectionManager) -> str | None:
    """Look once; return the readiness check."""
    await connection.monitor.refresh()
    return connection.monitor.check()


async def test_sentinels(connect: Connect, sentinel_set: SentinelSet) -> None:
    """The master that the Sentinels name takes the events."""
    connection = connect(sentinel_set.url)
    assert await check(connection) is None
    await appended_everywhere(connection)
    with sentinel_set.master.client as client:
        assert len(Stored(client).events()) == PARTITIONS


async def test_cluster(connect: Connect, cluster_set: ClusterSet) -> None:
    """A batch of all partitions reaches all masters."""
    connection = connect(cluster_set.url)
    assert await check(connection) is None
    await appended_everywhere(connection)
    with cluster_set.client as client:
        assert len(Stored(client).events()) == PARTITIONS


@pytest.mark.parametrize("partitions", [1, 2, 3])
async def test_few_partitions(connect: Connect, cluster_set: ClusterSet, partitions: int) -> None:
    """A master that has the layout and no partition, or nothing at all, is no problem."""
    assert await check(connect(cluster_set.url, partitions=partitions)) is None


async def test_one_seed_is_enough(connect: Connect, cluster_set: ClusterSet) -> None:
    """The other nodes are found, also when seeds are down."""
    connection = connect(f"redis+cluster://{LOOPBACK}:{free_port()},{LOOPBACK}:{cluster_set.servers[-1].port}")
    assert await check(connection) is None
    await appended_everywhere(connection)


async def test_moved_slot_is_followed_at_once(connect: Connect, cluster_set: ClusterSet) -> None:
    """A node that is no longer in charge says who is, and that one is asked, in the same call."""
    connection = connect(cluster_set.url)
    assert await check(connection) is None
    key = keys.retries(0)
    await asyncio.to_thread(cluster_set.fail_over, key)
    assert await connection.execute("hset", key, "HSET", key, "e", "r") == 1


async def test_demoted_master_is_left_at_once(connect: Connect, sentinel_set: SentinelSet) -> None:
    """A master that became a replica refuses, and whom the Sentinels name now is asked, in the same call."""
    connection = connect(sentinel_set.url)
    assert await check(connection) is None
    await asyncio.to_thread(sentinel_set.fail_over)
    key = keys.retries(0)
    assert await connection.execute("hset", key, "HSET", key, "e", "r") == 1


async def test_dead_master_takes_only_its_slots_along(connect: Connect, cluster_set: ClusterSet) -> None:
    """Of a batch, what belongs to a dead master fails, and the rest is appended."""
    connection = connect(cluster_set.url)
    assert await check(connection) is None
    dead = cluster_set.master_of(keys.retries(0))
    lost = [number for number in range(PARTITIONS) if cluster_set.master_of(keys.retries(number)) is dead]
    dead.kill()
    appender = Appender(connection, PARTITIONS, dedupe_window_s=3600, backlog_limit=1000)
    batch = [(MESSAGES, event(key=key_of(partition))) for partition in range(PARTITIONS)]
    results = await appender.append(batch, TIMEOUT_S)
    failed = [number for number, result in enumerate(results) if isinstance(result, BrokerUnavailableError)]
    assert failed == lost
    assert 0 < len(lost) < PARTITIONS


async def test_user_with_few_rights(connect: Connect) -> None:
    """The permissions that the documentation asks for are enough, and no keys but ours are in reach."""
    with RedisServer() as server:
        with server.client as client:
            client.execute_command("ACL", "SETUSER", "hookline", "on", ">s3cr:t", *documented_permissions())
        connection = connect(server.url.replace("redis://", "redis://hookline:s3cr%3At@"))
        assert await check(connection) is None
        await appended_everywhere(connection)
        limits = SharedLimits(connection, "sender", PARTITIONS)
        assert await limits.exchange([Usage("key", 0.001, 100.0, 7)]) == [7.0]


async def test_tls(connect: Connect, tmp_path: Path, redis_url: str) -> None:
    """`rediss://` speaks TLS with whoever has a certificate of the right authority, and with nobody else."""
    authority, stranger = trustme.CA(), trustme.CA()
    for name, ca in (("right.pem", authority), ("wrong.pem", stranger)):
        ca.cert_pem.write_to_path(tmp_path / name)
    async with tls_before(redis_url, authority) as port:
        connection = connect(f"rediss://localhost:{port}/0?ssl_ca_certs={tmp_path}/right.pem")
        assert await check(connection) is None
        await appended_everywhere(connection)
        distrusting = connect(f"rediss://localhost:{port}/0?ssl_ca_certs={tmp_path}/wrong.pem")
        assert "certificate verify failed" in str(await check(distrusting))


@asynccontextmanager
async def tls_before(redis_url: str, authority: trustme.CA) -> AsyncIterator[int]:
    """Yield the port of a TLS server that passes everything on to Redis, as stunnel would."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    redis_port = int(redis_url.rpartition(":")[2].partition("/")[0])

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(LOOPBACK, redis_port)
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    server = await asyncio.start_server(relay, LOOPBACK, 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # one side is gone, which closes the other
    finally:
        writer.close()


async def test_cluster_asked_of_a_single_server(connect: Connect, redis_url: str) -> None:
    """It is reported as such, with the scheme to use."""
    problem = await check(connect(redis_url.removesuffix("/0").replace("redis://", "redis+cluster://")))
    assert "is a single server" in str(problem)
    assert "redis://" in str(problem)


async def test_single_server_asked_of_a_cluster(connect: Connect, cluster_set: ClusterSet) -> None:
    """A node of a cluster taken for a single server is reported as such."""
    problem = await check(connect(f"redis://{LOOPBACK}:{cluster_set.servers[0].port}/0"))
    assert "redis+cluster://" in str(problem)


async def test_sentinel_taken_for_a_server(connect: Connect, sentinel_set: SentinelSet) -> None:
    """A Sentinel is not where events go."""
    problem = await check(connect(f"redis://{LOOPBACK}:{sentinel_set.sentinels[0].port}/0"))
    assert "redis+sentinel://" in str(problem)


async def test_server_taken_for_a_sentinel(connect: Connect, redis_url: str) -> None:
    """A data server does not know of masters."""
    problem = await check(connect(redis_url.removesuffix("/0").replace("redis://", "redis+sentinel://") + "/hookline"))
    assert "is not a Sentinel" in str(problem)


async def test_unknown_service(connect: Connect, sentinel_set: SentinelSet) -> None:
    """The Sentinels are there, but watch something else."""
    problem = await check(connect(sentinel_set.url.replace("/hookline/", "/other/")))
    assert "does not monitor a service 'other'" in str(problem)


async def test_read_only_replica(connect: Connect, sentinel_set: SentinelSet) -> None:
    """A replica is reported as such before anything is written."""
    replica = next(server for server in sentinel_set.servers if server is not sentinel_set.master)
    connection = connect(replica.url)
    assert "read-only replica" in str(await check(connection))
    assert not connection.monitor.ready


async def test_old_server(connect: Connect) -> None:
    """A server that is too old is told its version, and nothing is written to it."""
    script: dict[str, Any] = {
        "INFO": bulk("redis_version:5.0.14\r\nrun_id:abc\r\nrole:master\r\n"),
        "COMMAND": [None],
        "LPUSHX": 0,
    }
    async with ScriptedRedis(script) as server:
        connection = connect(server.url)
        problem = await check(connection)
        assert problem == "Redis 5.0.14 is too old. Hookline needs Redis 6.2 or newer, or Valkey."
        assert not connection.monitor.ready
        assert not [words for words in server.commands if words[0] == "HSETNX"]


async def test_risky_settings_are_warnings(connect: Connect) -> None:
    """A server that may lose events is used all the same, and each risk is reported with its remedy."""
    with RedisServer({"maxmemory-policy": "allkeys-lru", "appendonly": "no"}) as server:
        connection = connect(server.url)
        assert await check(connection) is None
        warnings = " ".join(connection.monitor.warnings())
        assert "allkeys-lru" in warnings
        assert "Set appendonly yes" in warnings
