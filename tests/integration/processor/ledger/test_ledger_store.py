"""The contract of the tables, on SQLite and on PostgreSQL."""

import asyncio
import random
from itertools import permutations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from hookline_processor.ledger.database import schema
from hookline_processor.ledger.database.engine import make_engine
from hookline_processor.ledger.database.migrate import configuration, migrate
from hookline_processor.ledger.database.store import Store
from tests.support.storage.ledger import PERSON, SHOP, START_MS, call, content, ledger_settings, message, rows, settled, status

ON_UVLOOP = True

OUT_OF_ORDER = ("delivered", "queued", "sent", "sending")


async def test_migrations_make_the_tables_of_the_schema(database: AsyncEngine) -> None:
    """What the migrations make is what the code expects, column by column and index by index."""

    def differences(connection: Connection) -> object:
        context = MigrationContext.configure(connection, opts={"version_table": schema.version.name})
        return compare_metadata(context, schema.metadata)

    async with database.connect() as connection:
        assert await connection.run_sync(differences) == []
    assert ScriptDirectory.from_config(configuration()).get_current_head() == schema.REVISION


async def test_migrating_again_changes_nothing(database: AsyncEngine) -> None:
    """Whoever migrates twice, or at the same time as another, loses nothing."""
    await Store(database).write(rows(message("SM1")))
    assert await migrate(database) == schema.REVISION
    assert len(await content(database, "events")) == 1


async def test_several_may_migrate_at_once(database_url: str) -> None:
    """Two processes that start together make the tables once."""
    engines = [make_engine(ledger_settings(database_url)) for _ in range(3)]
    before = await asyncio.gather(*map(migrate, engines))
    assert before.count(None) == 1
    for engine in engines:
        await Store(engine).probe()
        await engine.dispose()


async def test_event_is_kept_with_its_outcome(database: AsyncEngine) -> None:
    """An event's row tells what it was, who it was about, and its outcome."""
    dead = settled(
        "message.received",
        {"MessageSid": "SM1", "From": "whatsapp:+1 (415) 555-0123", "To": SHOP, "Body": "Zoë & co", "SmsStatus": "received"},
        outcome="dead",
        attempts=8,
        reason="exhausted",
        error="ValueError: no",
    )
    await Store(database).write(rows(dead))
    (row,) = await content(database, "events")
    assert row == {
        "id": dead.event.id,
        "kind": "message.received",
        "topic": "messages",
        "key": dead.event.key,
        "account": "AC1",
        "sid": "SM1",
        "parent_sid": None,
        "sender": PERSON,
        "recipient": SHOP,
        "status": "received",
        "received_at": START_MS,
        "settled_at": START_MS + 5,
        "outcome": "dead",
        "attempts": 8,
        "reason": "exhausted",
        "error": "ValueError: no",
        "params": {
            "MessageSid": "SM1",
            "From": "whatsapp:+1 (415) 555-0123",
            "To": SHOP,
            "Body": "Zoë & co",
            "SmsStatus": "received",
        },
    }


async def test_batch_written_again_changes_nothing(database: AsyncEngine) -> None:
    """A batch whose confirmation was lost is written again, as a whole and in parts; the tables stay as they are."""
    store = Store(database)
    batch = rows(message("SM1"), status("SM2", "sent"), status("SM2", "delivered", at=9), call("CA1", "ringing"))
    await store.write(batch)
    before = [await content(database, table) for table in ("events", "messages", "calls")]
    await store.write(batch)
    await store.write(batch[1:3])
    await store.write(batch[:2] + batch)
    assert [await content(database, table) for table in ("events", "messages", "calls")] == before


async def test_later_settlement_counts(database: AsyncEngine) -> None:
    """An event that was dead, and was replayed, is done; the record of its death, come late, changes nothing."""
    store = Store(database)
    dead = settled("message.received", {"MessageSid": "SM1"}, event_id="e1", outcome="dead", settled_at=10, reason="rejected")
    done = settled("message.received", {"MessageSid": "SM1"}, event_id="e1", outcome="done", settled_at=20, attempts=2)
    for order in ((dead, done), (done, dead), (dead,)):
        await store.write(rows(*order))
        (row,) = await content(database, "events")
        assert (row["outcome"], row["attempts"], row["reason"]) == ("done", 2, None)


async def test_message_has_its_latest_status(database: AsyncEngine) -> None:
    """Whatever order the callbacks come in, in one batch or several, the row ends the same, and never goes backwards."""
    store = Store(database)
    for number, order in enumerate(permutations(range(4))):
        callbacks = [status(f"SM{number:02}", OUT_OF_ORDER[at], at=10 * at + 10) for at in order]
        cut = number % 4
        for part in (callbacks[:cut], callbacks[cut:], callbacks[:1]):
            await store.write(rows(*part))
    found = await content(database, "messages")
    assert len(found) == 24
    for row in found:
        del row["sid"]
        assert row == {
            "account": "AC1",
            "direction": "outbound",
            "sender": SHOP,
            "recipient": PERSON,
            "body": None,
            "media": None,
            "status": "delivered",
            "status_rank": 85,
            "status_at": START_MS + 10,
            "error_code": None,
            "timeline": {name: START_MS + 10 * at + 10 for at, name in enumerate(OUT_OF_ORDER)},
            "first_at": START_MS + 10,
            "last_at": START_MS + 40,
        }


async def test_timeline_has_the_earliest_of_each_status(database: AsyncEngine) -> None:
    """A status that is heard of twice was there when it was heard of first, whichever is written first."""
    odd = 'it\'s "odd".$[0]'
    heard = [status("SM1", name, at=at) for name in ("sent", odd) for at in (30, 10, 20)]
    for order in (heard, heard[::-1], heard[1:4]):
        await Store(database).write(rows(*order))
        (row,) = await content(database, "messages")
        times = row["timeline"]
        assert set(times) <= {"sent", odd}
    assert times == {"sent": START_MS + 10, odd: START_MS + 10}


async def test_error_code_belongs_to_the_latest_status(database: AsyncEngine) -> None:
    """The code of a failure stays with it, though a late callback of an earlier status has none."""
    store = Store(database)
    await store.write(rows(status("SM1", "undelivered", ErrorCode="30003"), status("SM1", "sent", at=5)))
    (row,) = await content(database, "messages")
    assert (row["status"], row["error_code"]) == ("undelivered", "30003")


async def test_what_one_event_does_not_say_another_does(database: AsyncEngine) -> None:
    """Facts are gathered from all events about a message; none is taken away by one that lacks it."""
    store = Store(database)
    first = message("SM1", "look", NumMedia="1", MediaUrl0="https://media.example/1", MediaContentType0="image/png")
    await store.write(rows(settled("message.status", {"MessageSid": "SM1", "MessageStatus": "received"}, at=3)))
    await store.write(rows(first))
    (row,) = await content(database, "messages")
    assert (row["sender"], row["recipient"], row["body"], row["direction"]) == (PERSON, SHOP, "look", "inbound")
    assert row["media"] == [{"url": "https://media.example/1", "type": "image/png"}]
    assert row["first_at"] == START_MS


async def test_calls_alike(database: AsyncEngine) -> None:
    """A call has one row, too: its end counts, however late its ringing is heard of."""
    steps = [
        call("CA1", "completed", at=90, CallDuration="31"),
        call("CA1", "in-progress", at=30),
        call("CA1", "ringing", at=10),
        settled("recording.status", {"CallSid": "CA1", "RecordingSid": "RE1", "RecordingStatus": "completed"}, at=95),
    ]
    random.Random(5).shuffle(steps)
    await Store(database).write(rows(*steps))
    (row,) = await content(database, "calls")
    assert (row["status"], row["duration"], row["direction"], row["sender"]) == ("completed", 31, "inbound", PERSON)
    assert row["timeline"] == {"ringing": START_MS + 10, "in-progress": START_MS + 30, "completed": START_MS + 90}
    recording = next(row for row in await content(database, "events") if row["kind"] == "recording.status")
    assert (recording["sid"], recording["parent_sid"]) == ("RE1", "CA1")


async def test_two_processors_write_the_same_rows(database: AsyncEngine, database_url: str) -> None:
    """A processor that lost its partition and its successor write the same events at the same time: no harm is done."""
    other = make_engine(ledger_settings(database_url))
    events = [status(f"SM{number % 50}", name, at=number) for number, name in enumerate(OUT_OF_ORDER * 100)]
    shuffled = random.Random(3).sample(events, len(events))
    await asyncio.gather(
        *(
            Store(engine).write(rows(*some))
            for engine, some in ((database, events), (other, shuffled), (database, events[::-1]))
        )
    )
    await other.dispose()
    assert len(await content(database, "events")) == 400
    assert len(await content(database, "messages")) == 50
