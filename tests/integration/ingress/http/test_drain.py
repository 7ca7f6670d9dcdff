"""Draining the spool: everything reaches Redis once and in order, and what cannot yet stays and holds up nothing else."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from itertools import count, islice
from pathlib import Path

import pytest
from msgspec.structs import replace

from hookline_ingress.spool.drain import Drain
from hookline_ingress.spool.spool import Spool
from hookline_shared.event import Event
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.partitions import partition_of
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appender
from hookline_shared.topics import MESSAGES, STATUSES
from tests.integration.conftest import Connect
from tests.support.faults.fault_proxy import FaultProxy
from tests.support.faults.full_disk import full_disk
from tests.support.observability.logbook import Logbook
from tests.support.processor.events import event, key_of
from tests.support.servers.cluster_set import ClusterSet
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS, Stored
from tests.support.time.manual_clock import ManualClock
from tests.support.waiting import until, until_answer


class NotingClock(ManualClock):
    """Notes for how long somebody slept."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await super().sleep(seconds)


@pytest.fixture
async def clock() -> NotingClock:
    return NotingClock()


@pytest.fixture
async def spool(tmp_path: Path, clock: NotingClock, logbook: Logbook) -> AsyncIterator[Spool]:
    spool = Spool(tmp_path / "spool.db", 64, clock, logbook.logger)
    await spool.open()
    yield spool
    await spool.close()


@pytest.fixture
async def supervisor(logbook: Logbook) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(logbook.logger)
    yield supervisor
    await supervisor.close()


def drain_of(
    spool: Spool, redis: RedisConnectionManager, clock: ManualClock, logbook: Logbook, limit: int = 1_000_000
) -> Drain:
    appender = Appender(redis, PARTITIONS, dedupe_window_s=3600, backlog_limit=limit)
    return Drain(spool, appender, redis, PARTITIONS, clock, logbook.logger)


async def spooled(spool: Spool, events: Sequence[Event], topic: str = MESSAGES) -> Sequence[Event]:
    await asyncio.gather(*(spool.put(topic, one) for one in events))
    return events


def by_partition(events: Sequence[Event]) -> list[Event]:
    """Return `events` as `Stored.events` does."""
    return sorted(events, key=lambda one: partition_of(one.key, PARTITIONS))


def events_in(server: RedisServer, topic: str = MESSAGES) -> list[Event]:
    with server.client as client:
        return Stored(client).events(topic)


async def test_outage_is_waited_out(
    spool: Spool, own_redis: RedisServer, connect: Connect, clock: NotingClock, logbook: Logbook, supervisor: Supervisor
) -> None:
    """While Redis is away it is tried less and less often; once it is back, and knows no script, all arrives in order."""
    redis = connect(own_redis.url)
    await redis.monitor.refresh()
    own_redis.kill()
    events = await spooled(spool, [event(key=f"key{number % 20}") for number in range(500)])
    drain = drain_of(spool, redis, clock, logbook)
    await drain.start(supervisor)
    for attempts in range(1, 9):
        await until(lambda attempts=attempts: len(clock.slept) == attempts, "a pass has failed")  # type: ignore[misc]
        await clock.advance(clock.slept[-1])
    assert all(
        0.5 * bound <= slept <= bound for slept, bound in zip(clock.slept, (0.1, 0.2, 0.4, 0.8, 1.6, 2, 2), strict=False)
    )
    assert "Redis" in str(drain.obstacle)
    assert spool.events == 500
    own_redis.start()
    await emptied(spool, redis, clock)
    assert events_in(own_redis) == by_partition(events)
    await until(lambda: drain.obstacle is None, "nothing is in the way")
    assert supervisor.failure is None


async def emptied(spool: Spool, redis: RedisConnectionManager, clock: ManualClock) -> None:
    """Let time pass, with a look at Redis now and then, until nothing is in `spool`."""

    async def wait() -> int:
        await redis.monitor.refresh()
        await clock.advance(2)
        return spool.events

    await until_answer(wait, lambda events: events == 0, "all are drained")


async def test_what_redis_refuses_stays_alone(
    spool: Spool, own_redis: RedisServer, connect: Connect, clock: NotingClock, logbook: Logbook
) -> None:
    """A full stream, or one that Redis refuses to write to, keeps its own events, in order; all others are drained."""
    drain = drain_of(spool, connect(own_redis.url), clock, logbook, limit=40 * PARTITIONS)
    free, full, broken = key_of(1), key_of(2), key_of(3)
    events = await spooled(spool, [event(key=key) for _ in range(45) for key in (free, full, broken)][:-15])
    others = await spooled(spool, [event(key=broken) for _ in range(20)], STATUSES)
    with own_redis.client as client:
        client.set(keys.topic(3, MESSAGES), "not a stream")
    assert await drain.move()
    left = [one for one in events if one.key == broken] + [one for one in events if one.key == full][40:]
    assert by_partition([one.event for one in await spool.oldest(0, 1000)]) == by_partition(left)
    assert events_in(own_redis, STATUSES) == others
    with own_redis.client as client:
        client.delete(keys.topic(3, MESSAGES), keys.topic(2, MESSAGES))
    assert await drain.move() is None
    assert spool.events == 0
    taken = [one for one in events if one.key == full][:40]
    assert events_in(own_redis) == by_partition([one for one in events if one not in taken])


async def test_lost_answers_and_unreadable_rows(
    spool: Spool, own_redis: RedisServer, connect: Connect, clock: NotingClock, logbook: Logbook, tmp_path: Path
) -> None:
    """What Redis took without our hearing of it is offered again, and is one event; what nobody can read holds up nothing."""
    first = await spooled(spool, [event(key="k")])
    async with FaultProxy(own_redis.port) as proxy:
        redis = connect(proxy.url)
        await redis.monitor.refresh()
        drain = drain_of(spool, redis, clock, logbook)
        assert await drain.move() is None  # from now on Redis knows the script
        events = await spooled(spool, [event(key="k") for _ in range(10)])
        with closing(sqlite3.connect(tmp_path / "spool.db")) as other, other:
            other.execute("UPDATE events SET event = x'00' WHERE dedupe = ?", (events[3].dedupe_key,))
        readable = [*first, *events[:3], *events[4:]]
        proxy.truncate()
        assert await drain.move()
        assert (events_in(own_redis), spool.events) == (readable, 9)
        proxy.heal()
        assert await drain.move() is None
    assert (events_in(own_redis), spool.events, spool.unreadable) == (readable, 0, 1)


async def test_full_disk_does_not_stop_the_service(
    spool: Spool, own_redis: RedisServer, connect: Connect, clock: NotingClock, logbook: Logbook, supervisor: Supervisor
) -> None:
    """A disk that takes no writes hinders no event: all are in Redis, once, and their file makes room for an empty one."""
    redis = connect(own_redis.url)
    await redis.monitor.refresh()
    drain = drain_of(spool, redis, clock, logbook)
    events = await spooled(spool, [event(key="k") for _ in range(10)])
    with full_disk():
        await drain.start(supervisor)
        await until(lambda: clock.slept, "a pass is over")
        assert (spool.events, drain.obstacle) == (0, None)
    await emptied(spool, redis, clock)

    async def unremoved() -> int:
        await clock.advance(2)
        return spool.unremoved

    await until_answer(unremoved, lambda number: number == 0, "all are deleted")
    await spooled(spool, [last := event(key="k")])
    await emptied(spool, redis, clock)
    assert events_in(own_redis) == [*events, last]
    assert supervisor.failure is None


async def test_stuck_stream_on_a_full_disk(
    spool: Spool, own_redis: RedisServer, connect: Connect, clock: NotingClock, logbook: Logbook
) -> None:
    """On a full disk, a stream whose backlog is full keeps only its own events; then they follow, in order."""
    drain = drain_of(spool, connect(own_redis.url), clock, logbook, limit=2 * PARTITIONS)
    full, free = key_of(1), key_of(2)
    events = await spooled(spool, [event(key=key) for key in (full, free, full, free, full)])
    with full_disk():
        assert "backlog of topic" in str(await drain.move())
        assert (spool.events, spool.holds(MESSAGES, full), spool.holds(MESSAGES, free)) == (1, True, False)
        assert "backlog of topic" in str(await drain.move())
        with own_redis.client as client:
            client.delete(keys.topic(1, MESSAGES))
        assert await drain.move() is None
        assert spool.events == 0
    assert events_in(own_redis) == [events[4], events[1], events[3]]
    await spool.tidy()
    assert (spool.unremoved, spool.problem) == (0, None)


async def test_dead_master_keeps_only_its_own(
    spool: Spool, cluster_set: ClusterSet, connect: Connect, clock: NotingClock, logbook: Logbook
) -> None:
    """In a cluster what belongs to a dead master stays, the rest is drained; its heir gets what stayed, in order."""
    redis = connect(cluster_set.url)
    await redis.monitor.refresh()
    drain = drain_of(spool, redis, clock, logbook)
    dead = cluster_set.master_of(keys.retries(0))
    lost = [number for number in range(PARTITIONS) if cluster_set.master_of(keys.retries(number)) is dead]
    claimed_elsewhere = (one for one in map(event, map(str, count())) if partition_of(one.signature, PARTITIONS) not in lost)
    made = list(islice(claimed_elsewhere, 50 * PARTITIONS))
    events = await spooled(spool, [replace(one, key=key_of(number % PARTITIONS)) for number, one in enumerate(made)])
    dead.kill()
    assert await drain.move()
    assert spool.events == 50 * len(lost)
    await asyncio.to_thread(cluster_set.wait_new_master, keys.retries(0), dead)

    async def pass_once() -> str | None:
        await redis.monitor.refresh()
        await clock.advance(2)
        return await drain.move()

    await until_answer(pass_once, lambda obstacle: obstacle is None, "the heir takes it")
    with cluster_set.client as client:
        found = Stored(client).events()
    assert found == by_partition(events)
