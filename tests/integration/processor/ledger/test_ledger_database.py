"""What the ledger does with values and databases that it cannot use, with SQLite and PostgreSQL."""

import json

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from hookline_processor.ledger.body_policy import BodyPolicy
from hookline_processor.ledger.database.engine import close, make_engine
from hookline_processor.ledger.database.errors import DatabaseUnavailableError, RowRefusedError
from hookline_processor.ledger.database.migrate import migrate
from hookline_processor.ledger.database.store import Store
from hookline_processor.ledger.rows.rows import bare
from tests.support.servers.postgres_server import PostgresServer
from tests.support.storage.ledger import call, content, ledger_settings, message, rows, settled

NUL_FORM = b"MessageSid=SM1&Body=a%00b&From=%2B14155550123%00&SmsStatus=received&%00=%00"

HUGE = 1024 * 1024

ON_UVLOOP = True


@pytest.mark.parametrize("bodies", BodyPolicy)
async def test_what_does_not_fit_is_made_to_fit(database: AsyncEngine, bodies: BodyPolicy) -> None:
    """NUL, a body of 1 MiB, absurd numbers and endless names: each event is stored, and none holds up the others."""
    odd = [
        settled("message.received", body=NUL_FORM),
        message("SM2", "x" * HUGE),
        message("S" * 5000, sender="+" + "1" * 5000, recipient="é" * 5000),
        settled("message.received", body=b"\xff\xfe=%ff"),
        settled(
            "event.stream",
            body=json.dumps({"id": "e", "data": {"text": "a\0b" * 10, "n": 2**70}}).encode(),
            content_type="application/json",
        ),
        settled("unknown", body=b"[" * 900 + b"]" * 900, content_type="application/json"),
        settled("x" * 1000, {"From": "client:Alice"}, error="E: " + "\0" * 5000, reason="r" * 100, outcome="dead"),
        call("CA1", "completed", CallDuration="9" * 40, ErrorCode="1" * 100),
        settled("call.received", {"CallSid": "CA2"}, at=2**63, settled_at=9),
    ]
    await Store(database).write(rows(message("SM0"), *odd, bodies=bodies))
    assert len(await content(database, "events")) == 1 + len(odd)
    found = {row["sid"]: row["body"] for row in await content(database, "messages")}
    if bodies is BodyPolicy.KEEP:
        assert (found["SM1"], len(found["SM2"])) == ("a\ufffdb", HUGE)
    elif bodies is BodyPolicy.HASH:
        assert found["SM2"].startswith("sha256:")
    else:
        assert set(found.values()) == {None}


async def test_row_that_the_database_refuses_is_told_apart(database: AsyncEngine) -> None:
    """A refused row takes its batch with it, and says that it was a row; without what was odd in it, it is stored."""
    store = Store(database)
    good, bad = rows(message("SM1"), message("SM2"))
    bad.event["params"] = {"text": object()}
    with pytest.raises(RowRefusedError) as caught:
        await store.write([good, bad])
    assert "SM2" not in str(caught.value)
    assert await content(database, "events") == []
    await store.write([good, bad._replace(event=bare(bad.event), message=None)])
    stored = await content(database, "events")
    assert [row["params"] is None for row in stored].count(True) == 1


async def test_probe_tells_what_to_run(database_url: str) -> None:
    """No tables, old tables and newer ones are distinguished, each with what to do."""
    engine = make_engine(ledger_settings(database_url))
    store = Store(engine)
    with pytest.raises(DatabaseUnavailableError, match=r"tables are missing: run `hookline ledger migrate`"):
        await store.probe()
    await migrate(engine)
    await store.probe()
    for revision, told in (("0000", "at revision 0000, but this version needs .*migrate"), ("9999", "newer version")):
        async with engine.begin() as connection:
            await connection.execute(text(f"UPDATE ledger_version SET version_num = '{revision}'"))
        with pytest.raises(DatabaseUnavailableError, match=told):
            await store.probe()
    with pytest.raises(DatabaseUnavailableError, match="newer version"):
        await migrate(engine)
    await engine.dispose()


async def test_missing_table_waits_for_a_person(database: AsyncEngine) -> None:
    """Tables that went missing under a running writer are not taken for a bad row."""
    async with database.begin() as connection:
        await connection.execute(text("DROP TABLE messages"))
    with pytest.raises(DatabaseUnavailableError, match="hookline ledger migrate") as caught:
        await Store(database).write(rows(message("SM1")))
    assert caught.value.needs_operator


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("/ledger", "/nosuch"), "There is no such database"),
        (("hookline:", "stranger:"), "refuses the user"),
        (("127.0.0.1", "127.0.0.2"), "request failed"),
    ],
    ids=["no database", "no user", "nobody there"],
)
async def test_server_that_cannot_be_used(postgres_server: PostgresServer, change: tuple[str, str], told: str) -> None:
    """Each is one line without the password."""
    url = postgres_server.new_database().replace("hookline@", "hookline:s3cr3t@").replace(*change)
    engine = make_engine(ledger_settings(url))
    with pytest.raises(DatabaseUnavailableError, match=told) as caught:
        await Store(engine).probe()
    assert "s3cr3t" not in str(caught.value)
    assert "\n" not in str(caught.value)
    await engine.dispose()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("application_name=shop&sslmode=disable", None),
        ("nosuch=1", r"does not know an option of HOOKLINE_LEDGER_URL \(.*nosuch"),
        ("sslmode=some", "`sslmode` parameter must be one of"),
        ("sslmode=require", "rejected SSL upgrade"),
    ],
)
async def test_options_of_the_url(postgres_server: PostgresServer, options: str, told: str | None) -> None:
    """Options are libpq's; a wrong one is a wrong setting, and never taken for a row that is refused."""
    engine = make_engine(ledger_settings(f"{postgres_server.new_database()}?{options}"))
    if told is None:
        await migrate(engine)
        await Store(engine).write(rows(message("SM1")))
    else:
        with pytest.raises(DatabaseUnavailableError, match=told):
            await Store(engine).write(rows(message("SM1")))
    await engine.dispose()


async def test_tables_of_somebody_else(database_url: str) -> None:
    """A database that has other tables of these names is left as it is."""
    engine = make_engine(ledger_settings(database_url))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE messages (id integer)"))
    with pytest.raises(DatabaseUnavailableError, match=r"not the ledger's.*of its own") as caught:
        await migrate(engine)
    assert caught.value.needs_operator
    async with engine.connect() as connection:
        assert await connection.run_sync(lambda own: inspect(own).get_table_names()) == ["messages"]
    await engine.dispose()


async def test_missing_permission(postgres_server: PostgresServer) -> None:
    """A user who may not write is told so, and which permission it was."""
    url = postgres_server.new_database()
    owner = make_engine(ledger_settings(url))
    await migrate(owner)
    async with owner.begin() as connection:
        await connection.execute(text("DROP ROLE IF EXISTS reader"))
        await connection.execute(text("CREATE ROLE reader LOGIN"))
        await connection.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"))
    reader = make_engine(ledger_settings(url.replace("hookline@", "reader@")))
    await Store(reader).probe()
    with pytest.raises(DatabaseUnavailableError, match=r"lacks a permission .*events.*grant it"):
        await Store(reader).write(rows(message("SM1")))
    await reader.dispose()
    await owner.dispose()


async def test_closing_waits_for_nobody(own_postgres: PostgresServer) -> None:
    """A server that stalls holds up no shutdown."""
    engine = make_engine(ledger_settings(own_postgres.new_database(), DATABASE_COMMAND_TIMEOUT_S="3600"))
    await migrate(engine)
    own_postgres.pause()
    try:
        await close(engine)
    finally:
        own_postgres.resume()


async def test_file_that_cannot_be_used(tmp_path: object) -> None:
    """A folder that is missing, and a file that is something else, are reported with what to fix."""
    for file, content_of, told in (
        ("no/such/ledger.db", None, "cannot be opened"),
        ("text.db", "x" * 5000, "no SQLite database"),
    ):
        path = tmp_path / file  # type: ignore[operator]
        if content_of:
            path.write_text(content_of)
        engine = make_engine(ledger_settings(f"sqlite:///{path}"))
        with pytest.raises(DatabaseUnavailableError, match=told):
            await Store(engine).probe()
        await engine.dispose()
