"""The writer between a real Redis and a real database: nothing lost, nothing doubled, nobody held up."""

import asyncio
from typing import Any

import pytest
import redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from hookline_processor.ledger.body_policy import BodyPolicy
from hookline_processor.ledger.entry import SettledEvent
from hookline_processor.ledger.rows.rows import Rows, rows_of
from hookline_processor.ledger.writer import LedgerWriter
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.streams.ledger import LedgerStreams
from tests.support.observability.logbook import Logbook
from tests.support.storage.ledger import content
from tests.support.storage.ledger_writers import OWNED, Put, sids, waiting

ON_UVLOOP = True


async def move_all(writer: LedgerWriter) -> None:
    while await writer.pass_once():
        pass


async def test_everything_owned_is_moved(database: AsyncEngine, put: Put, make: Any, redis_client: "redis.Redis") -> None:
    """Batch after batch, what is in the streams of the owned partitions goes to the tables; the others' stays."""
    for number in range(50):
        put(f"SM{number:02}", OWNED[number % 2])
    put("SM99", partition=7)
    writer = make(database)
    await move_all(writer)
    assert await sids(database) == [f"SM{number:02}" for number in range(50)]
    assert waiting(redis_client) == 1
    assert writer.warnings() == []


async def test_crash_between_commit_and_removal(
    database: AsyncEngine, put: Put, make: Any, redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written and not yet removed is written again by the next, and is there once."""
    for number in range(2):
        put(f"SM{number}", OWNED[number])

    async def die(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(LedgerStreams, "remove", die)
        with pytest.raises(asyncio.CancelledError):
            await make(database).pass_once()
    before = await content(database, "events"), await content(database, "messages")
    assert waiting(redis_client) == 2
    await move_all(make(database))
    assert (await content(database, "events"), await content(database, "messages")) == before
    assert waiting(redis_client) == 0


async def test_poison_is_isolated(
    database: AsyncEngine, put: Put, make: Any, logbook: Logbook, redis_client: "redis.Redis"
) -> None:
    """A row that the database refuses is stored without its content, and the others as they are."""
    await forbid(database, "messages", "body")
    for number in range(10):
        put(f"SM{number}", body="poison" if number == 4 else "fine")
    writer = make(database)
    await move_all(writer)
    assert await sids(database) == [f"SM{number}" for number in range(10) if number != 4]
    assert len(await content(database, "events")) == 10
    assert waiting(redis_client) == 0
    line = logbook.find("the database accepted an event only without its content")
    assert line
    assert "poison" not in str(line)


async def test_event_of_which_no_rows_can_be_made(
    database: AsyncEngine, put: Put, make: Any, logbook: Logbook, redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of ours in reading one event neither stops the service nor holds up the others."""

    def fail_once(settled: SettledEvent, bodies: BodyPolicy) -> Rows:
        if b"trap" in settled.event.body:
            raise RuntimeError("trap")
        return rows_of(settled, bodies)

    monkeypatch.setattr("hookline_processor.ledger.writer.rows_of", fail_once)
    for number in range(3):
        put(f"SM{number}", body="trap" if number == 1 else "fine")
    await move_all(make(database))
    assert await sids(database) == ["SM0", "SM2"]
    assert len(await content(database, "events")) == 3
    assert waiting(redis_client) == 0
    assert logbook.find("an event could not be converted to rows")


async def test_what_is_never_taken_is_set_aside(
    database: AsyncEngine, put: Put, make: Any, logbook: Logbook, redis_client: "redis.Redis"
) -> None:
    """An event that the database does not take at all stays in Redis, loudly, and holds up none behind it."""
    async with database.begin() as connection:
        await connection.execute(text("CREATE UNIQUE INDEX only_one ON events (account)"))
    put("SM1")
    writer = make(database)
    await writer.pass_once()
    put("SM2")
    await writer.pass_once()
    async with database.begin() as connection:
        await connection.execute(text("DROP INDEX only_one"))
    put("SM3")
    await writer.pass_once()
    assert await sids(database) == ["SM1", "SM3"]
    assert waiting(redis_client) == 1
    assert logbook.find("the database refuses an event, which stays in Redis")
    assert "refuses some events" in writer.warnings()[0]
    await make(database).pass_once()
    assert await sids(database) == ["SM1", "SM2", "SM3"]


async def test_nothing_is_left_behind_what_is_set_aside(
    database: AsyncEngine, put: Put, make: Any, redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written before an event that is set aside leaves Redis, even if the first removal was lost."""
    async with database.begin() as connection:
        await connection.execute(text("CREATE UNIQUE INDEX only_two ON events (account, attempts)"))
    for sid in ("SM1", "SM2"):
        put(sid)

    async def lose(*_: object) -> None:
        raise BrokerUnavailableError("cut")

    writer = make(database)
    with monkeypatch.context() as patch:
        patch.setattr(LedgerStreams, "remove", lose)
        with pytest.raises(BrokerUnavailableError):
            await writer.pass_once()
    assert waiting(redis_client) == 2
    await writer.pass_once()
    assert await sids(database) == ["SM1"]
    assert waiting(redis_client) == 1


async def test_few_are_read_before_their_size_is_known(database: AsyncEngine, put: Put, make: Any) -> None:
    """A start among events of 1 MiB must not take a batch of them into memory: it would die of them, and start again."""
    for number in range(100):
        put(f"SM{number:02}")
    writer = make(database, batch=1000)
    moved = []
    while found := await writer.pass_once():
        moved.append(found)
    assert moved[0] <= 32
    assert sum(moved) == 100


async def test_idle_writer_waits(database: AsyncEngine, put: Put, make: Any) -> None:
    """Whoever has moved all waits for more, with a batch of one as well; whoever has not goes on at once."""
    writer = make(database, batch=1)
    put("SM1")
    assert [await writer._step() > 0 for _ in range(2)] == [False, True]


async def forbid(database: AsyncEngine, table: str, column: str) -> None:
    """Let the database refuse the text "poison", as a constraint of the user's own would."""
    statement = f"ALTER TABLE {table} ADD CONSTRAINT no_poison CHECK ({column} <> 'poison')"
    if database.dialect.name == "sqlite":
        raised = "SELECT RAISE(ABORT, 'refused')"
        statement = f"CREATE TRIGGER no_poison BEFORE INSERT ON {table} WHEN NEW.{column} = 'poison' BEGIN {raised}; END"
    async with database.begin() as connection:
        await connection.execute(text(statement))
