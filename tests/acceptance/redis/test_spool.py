"""Redis is away, and the webhooks go through the spool: all are acknowledged, and handled once and in order afterwards."""

import asyncio
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.support.load import Load, assert_nothing_lost_or_doubled
from tests.acceptance.support.pair import Pair, started_pair
from tests.support.processes.service_process import ServiceProcess
from tests.support.processes.services import Services
from tests.support.servers.redis_server import RedisServer

SENDERS, RATE = 100, 500.0
AWAY_S = 10
SPOOLED = 'hookline_events_total{kind="message.received",outcome="spooled",topic="messages"}'


@pytest.fixture
async def pair(own_redis: RedisServer, services: Services, tmp_path: Path) -> AsyncIterator[Pair]:
    """Yield a pair whose ingress has a spool, with the budget that people have."""
    settings = {"INGRESS_SPOOL_PATH": "spool.db", "INGRESS_WRITE_BUDGET_MS": "250"}
    async with started_pair(own_redis, services, tmp_path, settings=settings) as pair:
        yield pair


async def deliver_through(pair: Pair, trouble: Callable[[Load], Awaitable[object]]) -> None:
    """Deliver 500 webhooks per second for two seconds, while there is `trouble`, and for two seconds more; then count."""
    load = Load(pair, SENDERS, each=10**9, rate=RATE)
    running = asyncio.create_task(load.run())
    await load.reach(int(2 * RATE))
    await trouble(load)
    await load.reach(len(load.acknowledged) + int(2 * RATE))
    load.end()
    await running
    await assert_nothing_lost_or_doubled(load, pair)
    await pair.ingress.probe("readyz", 200)
    found = await pair.ingress.metrics()
    print(f"{pair.refused} refused, {found[SPOOLED]:.0f} through the spool since it started, {await pair.answer_times()}")


async def test_redis_stands_still(pair: Pair, own_redis: RedisServer) -> None:
    """Redis does not answer for ten seconds, and nobody who calls ingress notices; its readiness says so without denying it."""

    async def trouble(_load: Load) -> None:
        own_redis.pause()
        await asyncio.sleep(AWAY_S)  # the fault itself, not a wait for something
        assert "events wait in the spool" in await pair.ingress.probe("readyz?verbose", 200)
        own_redis.resume()

    await deliver_through(pair, trouble)
    assert pair.refused == 0


async def test_redis_is_killed(pair: Pair, own_redis: RedisServer) -> None:
    """Redis crashes and comes back with its append-only file."""

    async def trouble(load: Load) -> None:
        own_redis.kill()
        await load.reach(len(load.acknowledged) + int(2 * RATE))
        await asyncio.to_thread(own_redis.start)

    await deliver_through(pair, trouble)
    assert pair.refused == 0


async def test_spool_finds_no_room(pair: Pair, own_redis: RedisServer) -> None:
    """Redis is away and the disk is full: webhooks are refused, none of them acknowledged, until there is room again."""

    async def trouble(load: Load) -> None:
        own_redis.pause()
        await load.reach(len(load.acknowledged) + int(RATE))
        with no_room(pair.ingress):
            await pair.ingress.logged("the spool accepts no more events")
            assert "The spool accepts no more events" in await pair.ingress.probe("readyz", 503)
            before = len(load.acknowledged)
            refused = pair.refused
            while pair.refused < refused + int(RATE):
                await asyncio.sleep(0.02)
            assert len(load.acknowledged) <= before + SENDERS  # those that were under way
        await load.reach(before + int(RATE))
        own_redis.resume()

    await deliver_through(pair, trouble)
    assert pair.refused > 0


async def test_ingress_is_killed_with_events_in_the_spool(pair: Pair, own_redis: RedisServer) -> None:
    """What was acknowledged lies on the disk, and the next ingress delivers it first."""

    async def trouble(load: Load) -> None:
        own_redis.pause()
        for _ in range(2):
            await load.reach(len(load.acknowledged) + int(RATE))
            await pair.ingress.kill()
            await pair.ingress.listen()  # Redis is away, so it cannot be ready
        await load.reach(len(load.acknowledged) + int(RATE))
        own_redis.resume()

    await deliver_through(pair, trouble)


@contextmanager
def no_room(service: ServiceProcess) -> Iterator[None]:
    """Keep the files of `service` from growing: each write to its disk fails."""
    _, most = resource.prlimit(service.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (0, most))
    try:
        yield
    finally:
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (most, most))
