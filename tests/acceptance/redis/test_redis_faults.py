"""Faults between the services and Redis: callers of ingress do not notice, no event is lost, doubled or out of order,
and both services go on by themselves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.acceptance.support.load import Load, assert_nothing_lost_or_doubled
from tests.acceptance.support.pair import Pair, started_pair
from tests.support.faults.fault_proxy import FaultProxy
from tests.support.processes.services import Services
from tests.support.servers.redis_server import RedisServer
from tests.support.waiting import until_answer

SENDERS, EACH = 40, 40

LOADS_DATA = {"EVALSHA", "EVAL", "XREADGROUP", "XGROUP", "HMGET", "HSETNX", "LPUSHX", "XLEN", "XRANGE"}
"""What a server that loads its data refuses; INFO and CLIENT it answers."""

Fault = Callable[[Pair], Awaitable[None]]


@pytest.fixture
async def proxy(own_redis: RedisServer) -> AsyncIterator[FaultProxy]:
    """Yield the way to Redis, with which things can go wrong."""
    async with FaultProxy(own_redis.port) as proxy:
        yield proxy


@pytest.fixture
async def pair(own_redis: RedisServer, proxy: FaultProxy, services: Services, tmp_path: Path) -> AsyncIterator[Pair]:
    """Yield a pair that reaches Redis through the proxy, with the settings that people have."""
    settings = {"INGRESS_WRITE_BUDGET_MS": "250", "INGRESS_SPOOL_PATH": "spool.db"}
    async with started_pair(own_redis, services, tmp_path, url=proxy.url, settings=settings) as pair:
        yield pair


async def deliver_through(pair: Pair, fault: Fault) -> None:
    """Deliver messages while `fault` happens, and count."""
    load = Load(pair, SENDERS, EACH)

    async def disturb() -> None:
        await load.reach(SENDERS * EACH // 4)
        await fault(pair)

    await asyncio.gather(load.run(), disturb())
    assert len(load.acknowledged) == SENDERS * EACH
    await assert_nothing_lost_or_doubled(load, pair)
    assert pair.refused == 0
    await ready(pair)
    print(await pair.answer_times())


async def ready(pair: Pair) -> None:
    """Wait until both services are ready."""
    await pair.ingress.probe("readyz", 200)
    await pair.processor.probe("readyz", 200)


async def noticed(pair: Pair, told: str = "") -> None:
    """Wait until the processor is not ready, and ingress says that it makes do without Redis, both because of `told`."""
    assert told in await pair.processor.probe("readyz", 503)
    await ingress_says(pair, told)


async def ingress_says(pair: Pair, told: str) -> None:
    """Wait until ingress says, though it is ready, that it makes do without Redis because of `told`."""

    def says(text: str) -> bool:
        return told in text and "Webhooks go to the spool" in text

    await until_answer(lambda: pair.ingress.probe("readyz?verbose", 200), says, f"ingress says {told!r}")


async def test_stalled(pair: Pair, proxy: FaultProxy) -> None:
    """Redis does not answer, and what was sent to it meanwhile reaches it afterwards."""

    async def stall(pair: Pair) -> None:
        proxy.stall()
        await noticed(pair)
        proxy.heal()

    await deliver_through(pair, stall)


async def test_paused(pair: Pair, own_redis: RedisServer) -> None:
    """The process of Redis itself stands still."""

    async def pause(pair: Pair) -> None:
        own_redis.pause()
        await noticed(pair)
        own_redis.resume()

    await deliver_through(pair, pause)


async def test_killed_and_restarted(pair: Pair, own_redis: RedisServer) -> None:
    """Redis crashes and comes back with its append-only file."""

    async def crash(pair: Pair) -> None:
        own_redis.kill()
        await noticed(pair)
        await asyncio.to_thread(own_redis.start)

    await deliver_through(pair, crash)


async def test_truncated_replies(pair: Pair, proxy: FaultProxy) -> None:
    """Commands arrive and their replies are cut off: whether a write happened is not known."""

    async def truncate(pair: Pair) -> None:
        proxy.truncate()
        await noticed(pair)
        proxy.heal()

    await deliver_through(pair, truncate)


async def test_connections_cut_again_and_again(pair: Pair, proxy: FaultProxy) -> None:
    """Each connection is reset whatever is under way on it."""
    load = Load(pair, SENDERS, EACH)

    async def cut() -> None:
        for number in range(1, 20):
            await load.reach(SENDERS * EACH * number // 20)
            proxy.cut()

    await asyncio.gather(load.run(), cut())
    await assert_nothing_lost_or_doubled(load, pair)


async def test_half_open_connections(pair: Pair, proxy: FaultProxy) -> None:
    """The connections are dead, and neither side is told; new ones work."""

    async def die(_pair: Pair) -> None:
        proxy.half_open()

    await deliver_through(pair, die)


async def test_slow_network(pair: Pair, proxy: FaultProxy) -> None:
    """Each reply takes longer than the write budget, then all is well again."""

    async def slow(pair: Pair) -> None:
        proxy.delay(0.5)
        await until_answer(pair.spooled, lambda events: events > 20, "the spool takes what Redis is too slow for")
        proxy.heal()

    await deliver_through(pair, slow)


async def test_loading(pair: Pair, proxy: FaultProxy) -> None:
    """Redis is there, and still loads its data."""

    async def load_data(pair: Pair) -> None:
        proxy.answer("LOADING Redis is loading the dataset in memory", LOADS_DATA)
        await noticed(pair, "loading its data")
        proxy.heal()

    await deliver_through(pair, load_data)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "maxmemory"),
        ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "min-replicas-to-write"),
        ("CONFIG SET requirepass other", "CONFIG SET requirepass ", "password"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "read-only replica"),
    ],
    ids=["OOM", "NOREPLICAS", "NOAUTH", "READONLY"],
)
async def test_refusals(pair: Pair, proxy: FaultProxy, before: str, after: str, told: str) -> None:
    """Redis refuses to write for a while: /readyz?verbose says what to do, and it heals by itself."""

    async def refuse(pair: Pair) -> None:
        pair.redis.execute_command(*before.split(" "))
        proxy.cut()  # so that a password is asked for
        await ingress_says(pair, told)
        pair.redis.execute_command(*after.split(" "))

    await deliver_through(pair, refuse)


async def test_master_down(pair: Pair) -> None:
    """A replica that lost its master and does not serve old data is no use, and says so."""

    async def lose_master(pair: Pair) -> None:
        pair.redis.config_set("replica-serve-stale-data", "no")
        pair.redis.execute_command("REPLICAOF", "127.0.0.1", "1")
        await noticed(pair)
        pair.redis.execute_command("REPLICAOF", "NO", "ONE")

    await deliver_through(pair, lose_master)
