"""Writers of events of 1 MB through slow links: the ledger, the spool and ingress finish, and nothing is lost or doubled."""

import asyncio
import resource
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from hookline_ingress.spool.database import NewEntry, SpoolFile
from hookline_ingress.spool.drain import Drain
from hookline_ingress.spool.spool import Spool
from hookline_ingress.writer import Stored as Outcome
from hookline_ingress.writer import Writer
from hookline_processor.ledger.body_policy import BodyPolicy
from hookline_processor.ledger.database.engine import make_engine
from hookline_processor.ledger.database.migrate import migrate
from hookline_processor.ledger.database.schema import events as ledger_events
from hookline_processor.ledger.database.store import Store
from hookline_processor.ledger.rows.rows import Rows
from hookline_processor.ledger.writer import LedgerWriter, WriterLimits
from hookline_shared.breaker import Breaker
from hookline_shared.clock import SystemClock
from hookline_shared.event import Event
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.streams.append import Appender
from hookline_shared.streams.ledger import LedgerStreams
from hookline_shared.topics import MESSAGES
from tests.integration.slow_links.conftest import MB, NUMBER, SCALE, OpenLink, Reach, large, stored_ids
from tests.support.ingress.writes import write
from tests.support.observability.logbook import Logbook
from tests.support.processor.events import event, key_of
from tests.support.processor.feed import PARTITION
from tests.support.storage.dead_letters import fields_of
from tests.support.storage.keys import keys
from tests.support.storage.ledger import ledger_settings
from tests.support.storage.stored import PARTITIONS

_FAST, _SLOW = 40 * MB, 12 * MB
_ENOUGH_S = 120.0 * SCALE


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(ledger_settings(f"sqlite:///{tmp_path}/ledger.db"))
    await migrate(engine)
    yield engine
    await engine.dispose()


@pytest.fixture
async def supervisor(logbook: Logbook) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(logbook.logger)
    yield supervisor
    await supervisor.close()


@pytest.fixture
async def spool(tmp_path: Path, logbook: Logbook) -> AsyncIterator[Spool]:
    spool = Spool(tmp_path / "spool.db", 4096, SystemClock(), logbook.logger)
    await spool.open()
    yield spool
    await spool.close()


def appender(redis_through_link: Any) -> Appender:
    return Appender(redis_through_link, PARTITIONS, dedupe_window_s=3600, backlog_limit=1_000_000)


def settle(client: "redis.Redis", one: Event, partition: int) -> None:
    """Put a ledger entry into Redis, as the settling script does."""
    outcome = ("ledger.outcome", "done", "ledger.topic", MESSAGES, "ledger.attempts", "1")
    client.execute_command("XADD", keys.ledger(partition), "*", *fields_of(one), *outcome)


class _NotingStore(Store):
    """Notes the ids of the events in the order in which they are written."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
        self.ids: list[str] = []

    async def write(self, batch: Sequence[Rows]) -> None:
        self.ids += [rows.event["id"] for rows in batch]
        await super().write(batch)


@pytest.mark.parametrize("rate", [_FAST, _SLOW])
async def test_ledger(
    rate: int,
    open_link: OpenLink,
    reach: Reach,
    redis_client: "redis.Redis",
    ledger: AsyncEngine,
    supervisor: Supervisor,
    logbook: Logbook,
) -> None:
    """After many small ones the writer moves large events of all partitions, each once and in order, in little memory."""
    events: dict[int, list[Event]] = {
        number: [event(key=key_of(number)) for _ in range(40)] + [large(key_of(number)) for _ in range(NUMBER // PARTITIONS)]
        for number in range(PARTITIONS)
    }
    for number, own in events.items():
        for one in own:
            settle(redis_client, one, number)
    link, clock, store = await open_link(rate), SystemClock(), _NotingStore(ledger)
    breaker = Breaker("database", clock, logbook.logger, fail_max=3, counts=lambda _: True)
    limits = WriterLimits(500, 10.0, BodyPolicy.KEEP)
    writer = LedgerWriter(LedgerStreams(reach(link)), store, breaker, lambda: events, limits, clock, logbook.logger)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await writer.start(supervisor)
    async with asyncio.timeout(_ENOUGH_S):
        while any(redis_client.xlen(keys.ledger(number)) for number in events):
            await asyncio.sleep(0.05)
    await writer.stop()
    written = [one.id for own in events.values() for one in own]
    async with ledger.connect() as connection:
        assert sorted(await connection.scalars(select(ledger_events.c.id))) == sorted(written)
    for own in events.values():
        ids = {one.id for one in own}
        assert [one for one in store.ids if one in ids] == [one.id for one in own]
    assert link.received < 1.5 * NUMBER * MB + 40 * MB
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150 * 1024, "in KiB"


async def test_ingress(
    open_link: OpenLink, reach: Reach, redis_client: "redis.Redis", spool: Spool, supervisor: Supervisor, logbook: Logbook
) -> None:
    """Of many large webhooks at once, those that fit into the budget are in Redis, and the others in the spool."""
    through_link, clock = reach(await open_link(_SLOW)), SystemClock()
    await appender(through_link).append([(MESSAGES, event(key=key_of(1)))], 5.0)  # loads the script
    writer = Writer(appender(through_link), spool, lambda: True, 0.25, 30.0, clock, logbook.logger)
    await writer.start(supervisor)
    events = [large(key_of(at % PARTITIONS, at)) for at in range(40)]
    outcomes = await asyncio.gather(*(write(writer, MESSAGES, one) for one in events))
    assert outcomes.count(Outcome.NEW) >= 1
    assert outcomes.count(Outcome.NEW) + outcomes.count(Outcome.SPOOLED) == len(events)
    await writer.stop()
    drain = Drain(spool, appender(through_link), through_link, PARTITIONS, clock, logbook.logger)
    async with asyncio.timeout(_ENOUGH_S):
        while spool.bytes:
            await drain.move()
    assert sorted(stored_ids(redis_client)) == sorted(one.id for one in events)


@pytest.mark.parametrize(("rate", "number", "size"), [(_SLOW, NUMBER, MB), (450_000, 30, 60_000)])
async def test_spool_drains(
    rate: int,
    number: int,
    size: int,
    open_link: OpenLink,
    reach: Reach,
    redis_client: "redis.Redis",
    spool: Spool,
    logbook: Logbook,
) -> None:
    """The spool empties in order, also if its usual batch takes longer than its time limit."""
    events = [large(key_of(PARTITION), size) for _ in range(number)]
    for at in range(0, number, 40):
        await asyncio.gather(*(spool.put(MESSAGES, one) for one in events[at : at + 40]))
    through_link = reach(await open_link(rate))
    drain = Drain(spool, appender(through_link), through_link, PARTITIONS, SystemClock(), logbook.logger)
    async with asyncio.timeout(_ENOUGH_S):
        while spool.bytes:
            await drain.move()
    assert stored_ids(redis_client) == [one.id for one in events]


def test_opening_a_spool_reads_no_events(tmp_path: Path) -> None:
    """Counting what a spool has takes a moment, however large its events are."""
    file = SpoolFile(tmp_path / "spool.db", 1024)
    file.open()
    file.commit([NewEntry(MESSAGES, at % 3, large(key_of(PARTITION))) for at in range(30)])
    file.close()
    before = _bytes_read()
    found = file.open()
    assert _bytes_read() - before < MB
    assert sorted((lane, events) for lane, events, _ in found) == [(0, 10), (1, 10), (2, 10)]
    assert sum(size for _, _, size in found) > 30 * MB
    file.close()


def _bytes_read() -> int:
    return int(Path("/proc/self/io").read_text().split()[1])


def test_removal_from_a_spool_is_bounded_by_bytes(tmp_path: Path) -> None:
    """Large events that were delivered are removed a few at a time, since nothing is spooled meanwhile."""
    file = SpoolFile(tmp_path / "spool.db", 1024)
    file.open()
    file.commit([NewEntry(MESSAGES, 0, large(key_of(PARTITION))) for _ in range(20)])
    assert len(file.deliver([one.id for at in range(0, 20, 2) for one in file.oldest(at, 2).events])) == 20
    left = []
    while file.remove():
        left.append(file.count_done_with())
    assert left == [11, 2]
    file.close()
