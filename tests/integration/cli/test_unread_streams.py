"""What `hookline doctor` and `hookline status` say of streams that nobody reads, and of processors whose handlers differ."""

from collections.abc import Sequence

from hookline_cli.doctor.checks.readers import check_readers
from hookline_cli.doctor.finding import Level
from hookline_cli.status.collector import Collector, CollectorSettings
from hookline_shared.clock import SystemClock
from hookline_shared.readers.published import encode
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.ownership.lease import LeaseRequest, Leases
from hookline_shared.topics import DEFAULT_TOPICS
from tests.integration.conftest import Connect
from tests.support.processes.findings import subject, wrongs
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS


async def join(redis: RedisConnectionManager, name: str, partitions: Sequence[int], handled: Sequence[str]) -> None:
    owner = Leases(redis, name, 60, 5, encode(PARTITIONS, 60, DEFAULT_TOPICS, handled, []))
    await owner.heartbeat()
    await owner.ask(dict.fromkeys(partitions, (LeaseRequest.ACQUIRE, 0)))


async def connected(server: RedisServer, connect: Connect) -> RedisConnectionManager:
    """Return a connection that a service made, so that the layout is in Redis."""
    redis = connect(server.url)
    await redis.monitor.refresh()
    return redis


async def doctor(server: RedisServer, **settings: object) -> list[tuple[Level, str]]:
    return wrongs(await check_readers(subject({"REDIS_URL": server.url, **settings})))


async def status(server: RedisServer, **settings: object) -> tuple[list[str], list[str]]:
    """Return the problems and warnings that Redis shows."""
    found = CollectorSettings.load({"REDIS_URL": server.url, **settings})
    async with Collector(found, [], SystemClock()) as collector:
        shown = await collector.look()
    return shown.problems()[1:], [text for _, text in shown.warnings()]  # the first: that no service answers here


async def test_nobody_has_been_there(own_redis: RedisServer) -> None:
    """Before the first start, nothing is wrong."""
    assert await doctor(own_redis) == []


async def test_no_processor(own_redis: RedisServer, connect: Connect) -> None:
    """Events would wait: a warning, as it may be about to be started."""
    await connected(own_redis, connect)
    assert await doctor(own_redis) == [(Level.WARNING, "No processor is running")]


async def test_topic_that_no_processor_reads(own_redis: RedisServer, connect: Connect) -> None:
    """A topic of these settings, or one that has events, is a problem in both commands."""
    redis = await connected(own_redis, connect)
    await join(redis, "a", range(PARTITIONS), ["*"])
    assert await doctor(own_redis) == []
    topics: dict[str, object] = {"TOPICS": {"vip": {}}}
    assert await doctor(own_redis, **topics) == [(Level.PROBLEM, "Nobody reads topic vip in partitions 0-7")]
    assert (await status(own_redis, **topics))[0][0].startswith("Nobody reads topic vip in partitions 0-7.")
    with own_redis.client as client:
        client.hset(keys.topics, "old", 1)
        client.xadd(keys.topic(3, "old"), {"a": "b"})
    assert await doctor(own_redis) == [(Level.PROBLEM, "Nobody reads topic old in partition 3")]
    assert (await status(own_redis))[0][0].startswith("Nobody reads topic old in partition 3.")


async def test_partitions_without_owner(own_redis: RedisServer, connect: Connect) -> None:
    await join(await connected(own_redis, connect), "a", [0, 1], ["*"])
    assert await doctor(own_redis) == [(Level.PROBLEM, "No processor owns partitions 2-7")]


async def test_handlers_that_differ(own_redis: RedisServer, connect: Connect) -> None:
    """Both commands name the processor and the kinds that it leaves to others."""
    redis = await connected(own_redis, connect)
    await join(redis, "new", range(4), ["message.received", "call.status"])
    await join(redis, "old", range(4, PARTITIONS), ["message.received"])
    text = "Processor old has no handler for call.status, which other processors handle"
    assert await doctor(own_redis) == [(Level.WARNING, text)]
    problems, warnings = await status(own_redis)
    assert problems == []
    assert [one for one in warnings if one.startswith(text)]
