"""The writer with a spool: what Redis does not confirm is safe on disk, and nothing overtakes it."""

import asyncio
import sqlite3
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hookline_ingress.metrics import SPOOL_READ_ERRORS
from hookline_ingress.spool.database import SpoolFile
from hookline_ingress.spool.drain import Drain
from hookline_ingress.spool.spool import Spool, SpoolError
from hookline_ingress.writer import NotStored, Writer
from hookline_ingress.writer import Stored as Outcome
from hookline_shared.clock import Clock, SystemClock
from hookline_shared.event import Event
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.partitions import partition_of
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appender
from hookline_shared.topics import MESSAGES
from tests.integration.conftest import Connect
from tests.support.faults.fault_proxy import FaultProxy
from tests.support.ingress.writes import write
from tests.support.observability.logbook import Logbook
from tests.support.processor.events import event, key_of
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS, Stored
from tests.support.time.manual_clock import ManualClock
from tests.support.waiting import PATIENCE_S, until

LONG_S, SHORT_S, LIMIT_S = 40.0, 0.1, 60.0
"""Seconds; the limit is tested with a clock of its own, since a busy machine could reach it."""

Outcomes = list[Outcome | str]
Maker = Callable[..., Awaitable["WriterHarness"]]


@dataclass(frozen=True)
class WriterHarness:
    """A writer whose way to Redis is `proxy`. Nothing leaves `spool` but by `drain.move`."""

    writer: Writer
    spool: Spool
    drain: Drain
    proxy: FaultProxy
    redis: RedisConnectionManager
    server: RedisServer

    async def write(self, *events: Event) -> Outcomes:
        """Write `events` at once; return the outcome of each."""
        writes = [write(self.writer, MESSAGES, one) for one in events]
        results = await asyncio.wait_for(asyncio.gather(*writes), PATIENCE_S)
        return [result.outcome if isinstance(result, NotStored) else Outcome(str(result)) for result in results]

    async def in_spool(self) -> list[Event]:
        return [one.event for one in await self.spool.oldest(0, 1000)]

    def in_redis(self) -> list[Event]:
        with self.server.client as client:
            return Stored(client).events()


@pytest.fixture
async def harness(own_redis: RedisServer, connect: Connect, logbook: Logbook, tmp_path: Path) -> AsyncIterator[Maker]:
    """Yield a factory of harnesses."""
    proxy, supervisor = FaultProxy(own_redis.port), Supervisor(logbook.logger)
    spools: list[Spool] = []

    async def make(
        budget_s: float = LONG_S, backlog: int = 1_000_000, max_mb: int = 64, clock: Clock | None = None, **options: Any
    ) -> WriterHarness:
        clock = clock or SystemClock()
        redis = connect(proxy.url, **options)
        await redis.monitor.refresh()
        spools.append(spool := Spool(tmp_path / "spool.db", max_mb, clock, logbook.logger))
        await spool.open()
        appender = Appender(redis, PARTITIONS, dedupe_window_s=3600, backlog_limit=backlog)
        writer = Writer(appender, spool, lambda: redis.monitor.ready, budget_s, LIMIT_S, clock, logbook.logger)
        await writer.start(supervisor)
        drain = Drain(spool, appender, redis, PARTITIONS, clock, logbook.logger)
        return WriterHarness(writer, spool, drain, proxy, redis, own_redis)

    async with proxy:
        yield make
        await supervisor.close()
        for spool in spools:
            await spool.close()


async def test_silent_redis_is_waited_for_once(harness: Maker) -> None:
    """Past the budget a batch is spooled, and all that gathered behind it, in order; after the drain each is one event."""
    at = await harness(SHORT_S)
    events = [event(key="k") for _ in range(300)]
    at.proxy.stall()
    first = asyncio.ensure_future(at.write(*events[:5]))
    for _ in range(5):
        await asyncio.sleep(0)  # a batch is under way
    assert {*await at.write(*events[5:]), *await first} == {Outcome.SPOOLED}
    assert await at.in_spool() == events
    at.proxy.heal()
    await at.redis.monitor.refresh()
    assert await at.drain.move() is None
    assert (at.in_redis(), at.spool.events) == (events, 0)


async def test_later_events_of_a_key_queue_behind_it(harness: Maker) -> None:
    """An event whose confirmation was lost is in Redis and in the spool, and is one event after the drain.

    Until then later ones of its key go through the spool although Redis is back, those of other keys do not.
    """
    at = await harness()
    first, lost, later, last = (event(key="k") for _ in range(4))
    other = event(key=key_of(partition_of("k", PARTITIONS)))
    assert await at.write(first) == [Outcome.NEW]
    at.proxy.truncate()
    assert await at.write(lost) == [Outcome.SPOOLED]
    assert at.in_redis() == [first, lost]
    at.proxy.heal()
    assert await at.write(later, other, lost) == [Outcome.SPOOLED, Outcome.NEW, Outcome.SPOOLED]
    assert await at.in_spool() == [lost, later]
    assert await at.drain.move() is None
    assert await at.write(last) == [Outcome.NEW]
    assert at.in_redis() == [first, lost, other, later, last]


async def test_disk_that_cannot_be_read(harness: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is before that place is delivered, other conversations go on, and all is delivered in order once it can be read."""
    at = await harness()
    events = [event(key=f"k{number % 5}") for number in range(20)]
    at.proxy.refuse()
    await at.write(*events)
    at.proxy.heal()
    await at.redis.monitor.refresh()
    read, errors = SpoolFile._rows, SPOOL_READ_ERRORS._value.get()

    def broken_rows(file: SpoolFile, after: int, limit: int) -> Iterator[tuple[int, str, bytes]]:
        for row in read(file, after, limit):
            if row[0] == 8:
                raise sqlite3.OperationalError("disk I/O error")
            yield row

    monkeypatch.setattr(SpoolFile, "_rows", broken_rows)
    for _ in range(2):
        with pytest.raises(SpoolError, match="disk I/O error"):
            await at.drain.move()
    later, other = event(key="k3"), event(key="other")
    assert await at.write(later, other) == [Outcome.SPOOLED, Outcome.NEW]
    assert (by_key(at.in_redis()), SPOOL_READ_ERRORS._value.get()) == (by_key([*events[:7], other]), errors + 2)
    monkeypatch.undo()
    assert await at.drain.move() is None
    assert by_key(at.in_redis()) == by_key([*events, later, other])


def by_key(events: Iterable[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for one in events:
        found[one.key].append(one)
    return found


async def test_open_breaker_costs_no_budget(harness: Maker) -> None:
    """Once Redis is known to be away, events are spooled without a try."""
    at = await harness(breaker_failures=1)
    at.proxy.refuse()
    assert await at.write(event()) == [Outcome.SPOOLED]
    at.proxy.heal()
    at.proxy.stall()  # whoever tries now waits for the budget, which is longer than the patience of `write`
    events = [event() for _ in range(10)]
    assert [await at.write(one) for one in events] == [[Outcome.SPOOLED]] * 10
    assert (await at.in_spool())[1:] == events


async def test_full_backlog_goes_on_in_the_spool(harness: Maker) -> None:
    """Above the backlog limit events of that stream are spooled, others not; with room again they follow in order."""
    at = await harness(backlog=2 * PARTITIONS)
    events = [event(key=key_of(1)) for _ in range(6)]
    assert await at.write(*events[:5]) == [Outcome.NEW] * 2 + [Outcome.SPOOLED] * 3
    assert await at.write(event(key=key_of(2)), events[0]) == [Outcome.NEW, Outcome.SPOOLED]
    with at.server.client as client:
        client.delete(keys.topic(1, MESSAGES))
    assert await at.write(events[5]) == [Outcome.SPOOLED]
    assert "the backlog of topic" in str(await at.drain.move())
    assert [one for one in at.in_redis() if one in events] == events[2:4]
    with at.server.client as client:
        client.delete(keys.topic(1, MESSAGES))
    assert await at.drain.move() is None
    assert [one for one in at.in_redis() if one in events] == events[4:]


async def test_full_spool_refuses(harness: Maker) -> None:
    """With neither Redis nor room in the spool an event is refused; what was acknowledged is what the spool has."""
    at = await harness(max_mb=1)
    at.proxy.refuse()
    events = [event(key="k", body=b"x" * 50_000) for _ in range(40)]
    outcomes = await at.write(*events)
    assert set(outcomes) == {Outcome.SPOOLED, "spool_full"}
    acknowledged = [one for one, outcome in zip(events, outcomes, strict=True) if outcome is Outcome.SPOOLED]
    at.proxy.heal()
    await at.redis.monitor.refresh()
    assert await at.drain.move() is None
    assert at.in_redis() == acknowledged
    assert await at.write(event(key="k")) == [Outcome.NEW]


async def test_slow_disk_is_answered_for(harness: Maker, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the disk does, everybody is answered within the limit, counted from when the event came."""
    at = await harness(clock=clock)
    goes_on = threading.Event()
    commit = SpoolFile.commit
    monkeypatch.setattr(SpoolFile, "commit", lambda self, puts: goes_on.wait() and commit(self, puts))
    at.proxy.refuse()
    writes = [write(at.writer, MESSAGES, event()) for _ in range(10)]
    await until(lambda: at.spool.events == 10, "they wait for the disk")
    await clock.advance(LIMIT_S - 0.01)
    assert not any(one.done() for one in writes)
    await clock.advance(0.01)
    results = await asyncio.gather(*writes)
    assert {result.outcome for result in results if isinstance(result, NotStored)} == {"spool_slow"}
    goes_on.set()
    assert await at.write(event()) == [Outcome.SPOOLED]
