"""What can be found in the ledger, and what is gone once it was removed: the contract, on SQLite and on PostgreSQL."""

from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from hookline_processor.ledger.database.engine import make_engine
from hookline_processor.ledger.database.store import Store
from hookline_processor.ledger.removal import count_older, forget, purge
from hookline_processor.ledger.retention import DAY_MS, Retention
from hookline_processor.ledger.search import Query, conversation, search, search_statement
from hookline_shared.lifecycle.service import Supervisor
from tests.support.observability.logbook import Logbook
from tests.support.storage.ledger import PERSON, SHOP, START_MS, call, content, ledger_settings, message, rows, settled, status
from tests.support.time.manual_clock import ManualClock
from tests.support.waiting import until

ON_UVLOOP = True
OTHER = "+14155550999"
INDEXES = {
    "number": (Query(number=PERSON), ("ix_events_sender", "ix_events_recipient")),
    "sid": (Query(sid="SM1"), ("ix_events_sid", "ix_events_parent_sid")),
    "kind": (Query(kind="call.status"), ("ix_events_kind",)),
    "nothing": (Query(), ("ix_events_received_at",)),
}


@pytest.fixture
async def filled(database: AsyncEngine) -> AsyncEngine:
    """Return a database with a little history."""
    await Store(database).write(
        rows(
            message("SM1", "is it ready?", at=1000),
            status("SM2", "sent", at=2000),
            status("SM2", "undelivered", at=3000, ErrorCode="30003"),
            message("SM3", "hi", sender=OTHER, at=4000),
            call("CA1", "completed", at=5000, CallDuration="31"),
            settled("recording.status", {"CallSid": "CA1", "RecordingSid": "RE1", "RecordingStatus": "completed"}, at=6000),
            settled("sync.document_updated", {"DocumentSid": "ET1"}, at=7000, outcome="dead", reason="exhausted", error="E: x"),
            message("SM4", "to myself", recipient=PERSON, at=8000),
        )
    )
    return database


@pytest.mark.parametrize(
    ("query", "at"),
    [
        (Query(), [8, 7, 6, 5, 4, 3, 2, 1]),
        (Query(limit=2), [8, 7]),
        (Query(number="+1 (415) 555-0123"), [8, 5, 3, 2, 1]),
        (Query(number=f"whatsapp:{OTHER}"), [4]),
        (Query(number=PERSON, limit=2), [8, 5]),
        (Query(number=PERSON, status="undelivered"), [3]),
        (Query(number=PERSON, sid="SM2", status="SENT"), [2]),
        (Query(number=OTHER, sid="SM2"), []),
        (Query(sid="CA1"), [6, 5]),
        (Query(sid="RE1"), [6]),
        (Query(kind="message.received"), [8, 4, 1]),
        (Query(kind="sync.*"), [7]),
        (Query(kind="s%nc.*"), []),
        (Query(status="dead"), [7]),
        (Query(since=START_MS + 6000), [8, 7, 6]),
        (Query(number="nobody"), []),
    ],
)
async def test_search(filled: AsyncEngine, query: Query, at: list[int]) -> None:
    """What is asked for is found, newest first, once."""
    found = await search(filled, query)
    assert [(event["received_at"] - START_MS) // 1000 for event in found] == at


@pytest.mark.parametrize("way", INDEXES)
async def test_each_way_in_has_its_index(filled: AsyncEngine, way: str) -> None:
    """However much history there is, a search reads what it shows: the plan names the index."""
    query, names = INDEXES[way]
    statement = search_statement(query).compile(filled.sync_engine, compile_kwargs={"render_postcompile": True})
    values = tuple(statement.params[name] for name in statement.positiontup or ())
    explain = "EXPLAIN QUERY PLAN" if filled.dialect.name == "sqlite" else "EXPLAIN"
    async with filled.begin() as connection:
        if filled.dialect.name == "postgresql":  # which reads a table so small as a whole
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
            await connection.execute(text("SET LOCAL enable_bitmapscan = off"))
        plan = str((await connection.exec_driver_sql(f"{explain} {statement}", values)).all())
    for name in names:
        assert name in plan


async def test_parameters_may_be_left_out(filled: AsyncEngine) -> None:
    """What is shown without parameters is read without them: they may have a megabyte in each row."""
    whole = await search(filled, Query())
    assert await search(filled, Query(with_params=False)) == [
        {name: value for name, value in row.items() if name != "params"} for row in whole
    ]


async def test_conversation(filled: AsyncEngine) -> None:
    """Messages and calls between two parties, in both directions, oldest first."""
    found = await conversation(filled, PERSON, "1 800 555 1212", 10)
    assert [(row["what"], row["sid"], row["sender"]) for row in found] == [
        ("message", "SM1", PERSON),
        ("message", "SM2", SHOP),
        ("call", "CA1", PERSON),
    ]
    assert await conversation(filled, SHOP, PERSON, 10) == found
    assert await conversation(filled, SHOP, PERSON, 2) == found[1:]
    assert [row["sid"] for row in await conversation(filled, PERSON, PERSON, 10)] == ["SM4"]


async def test_purge(filled: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is older goes, batch by batch, with progress; what is not stays."""
    monkeypatch.setattr("hookline_processor.ledger.removal._BATCH", 2)
    before = START_MS + 5000
    assert await count_older(filled, before) == {"events": 4, "messages": 3, "calls": 0}
    seen: list[tuple[str, int]] = []
    await purge(filled, before, lambda table, number: seen.append((table, number)))
    assert seen == [("events", 2), ("events", 2), ("events", 0), ("messages", 2), ("messages", 1), ("calls", 0)]
    assert [row["received_at"] for row in await content(filled, "events")] == [START_MS + at * 1000 for at in (5, 6, 7, 8)]
    assert [row["sid"] for row in await content(filled, "messages")] == ["SM4"]
    assert len(await content(filled, "calls")) == 1


def right(clock: ManualClock, ahead_ms: int = 0) -> Callable[[], Awaitable[int]]:
    """Return the clock of a Redis that is so far ahead of `clock`."""

    async def server_now() -> int:
        return clock.now_ms() + ahead_ms

    return server_now


@pytest.mark.parametrize(("own_days", "server_days"), [(365, 0), (0, 365), (3, 0)])
async def test_wrong_clock_removes_nothing(filled: AsyncEngine, logbook: Logbook, own_days: int, server_days: int) -> None:
    """While one of the two clocks is ahead, nothing is removed that is not too old by the other one; and it is told."""
    clock = ManualClock(START_MS + own_days * DAY_MS)
    server_now = right(clock, (server_days - own_days) * DAY_MS)
    await Retention(filled, 2, lambda: [0], server_now, clock, logbook.logger).pass_once()
    assert len(await content(filled, "events")) == 8
    assert logbook.find("the clocks of this machine and of Redis differ, so history is kept for longer")


async def test_retention_is_kept_by_one(filled: AsyncEngine, logbook: Logbook) -> None:
    """The processor that owns the first partition removes what is too old; the others leave it alone."""
    clock = ManualClock(START_MS + 2 * DAY_MS + 4500)
    await Retention(filled, 2, lambda: [1, 2], right(clock), clock, logbook.logger).pass_once()
    assert len(await content(filled, "events")) == 8
    await Retention(filled, 2, lambda: [0], right(clock), clock, logbook.logger).pass_once()
    assert len(await content(filled, "events")) == 4


async def test_retention_survives_a_refusal(filled: AsyncEngine, logbook: Logbook) -> None:
    """A database that does not let history go, since tables of the user's own refer to it, ends nothing but the removal."""
    await refuse_removal(filled)
    clock, supervisor = ManualClock(START_MS + 2 * DAY_MS), Supervisor(logbook.logger)
    retention = Retention(filled, 1, lambda: [0], right(clock), clock, logbook.logger)
    await retention.start(supervisor)
    await clock.advance(10)
    await until(lambda: logbook.find("old history could not be removed"), "it is told")
    await retention.stop()
    await supervisor.close()
    assert supervisor.failure is None
    assert len(await content(filled, "events")) == 8


async def refuse_removal(database: AsyncEngine) -> None:
    async with database.begin() as connection:
        if database.dialect.name == "sqlite":
            raised = "SELECT RAISE(ABORT, 'refused')"
            await connection.execute(text(f"CREATE TRIGGER kept BEFORE DELETE ON events BEGIN {raised}; END"))
        else:
            await connection.execute(text("CREATE TABLE own (event varchar REFERENCES events (id))"))
            await connection.execute(text("INSERT INTO own SELECT id FROM events"))


async def test_forgetting_a_person(filled: AsyncEngine) -> None:
    """Nothing is left that is about the person or mentions them, and nobody else misses anything."""
    mentions = settled("taskrouter.task.created", {"TaskAttributes": f'{{"caller": "{PERSON}"}}', "TaskSid": "WT1"})
    bystander = settled("taskrouter.task.created", {"TaskAttributes": "{}", "TaskSid": "WT2"})
    told = message("SM5", f"call {PERSON[1:]}", sender=OTHER)
    dialled = call("CA5", "completed", sender=f"sip:{PERSON}@pbx.example.com")
    await Store(filled).write(rows(mentions, bystander, told, dialled))
    assert await forget(filled, "+1 415-555-0123") == {"events": 9, "messages": 4, "calls": 2}
    left = [row for table in ("events", "messages", "calls") for row in await content(filled, table)]
    assert PERSON[1:] not in str(left)
    assert await forget(filled, PERSON) == {"events": 0, "messages": 0, "calls": 0}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # PostgreSQL overwrites what was removed when it vacuums
async def test_forgotten_is_gone_from_the_files(filled: AsyncEngine) -> None:
    """SQLite's files have nothing of the person any more, while others have the database open."""
    files = list(Path(filled.url.database or "").parent.glob("*.db*"))
    assert PERSON.encode() in b"".join(file.read_bytes() for file in files)
    other = make_engine(ledger_settings(f"sqlite:///{filled.url.database}"))
    assert await content(other, "events")
    await forget(filled, PERSON)
    assert PERSON.encode() not in b"".join(file.read_bytes() for file in files)
    await other.dispose()


async def test_forgetting_takes_nobody_else(filled: AsyncEngine) -> None:
    """A short code that stands in many texts by chance takes only what it sent or got."""
    await Store(filled).write(rows(message("SM9", "ready?", sender="5550")))
    counts = await forget(filled, "5550")
    assert Counter(counts) == Counter({"events": 1, "messages": 1})
    assert len(await content(filled, "messages")) == 4
