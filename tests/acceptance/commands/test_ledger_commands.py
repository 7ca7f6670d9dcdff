"""`hookline ledger`, as a person uses it."""

import csv
import json
import sqlite3
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hookline_cli.ledger.database import with_engine
from hookline_cli.main import app
from hookline_processor.ledger.database.store import Store
from hookline_shared.errors import HooklineError, SettingsError
from tests.support.servers.postgres_server import PostgresServer
from tests.support.storage.ledger import PERSON, SHOP, call, ledger_settings, message, rows, settled, status

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a caller of `hookline ledger` in a folder with nothing in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    return lambda *words: CliRunner().invoke(app, ["ledger", *words])


@pytest.fixture
def filled(run: Run, tmp_path: Path) -> Run:
    """Return the same, with a little history in the folder of `hookline up`."""
    (tmp_path / "var").mkdir()
    file = tmp_path / "var" / "ledger.db"
    file.touch()
    assert "before: none" in run("migrate").output
    batch = rows(
        message("SM1", "is it [red]ready[/]?"),
        status("SM2", "undelivered", at=3000, ErrorCode="30003"),
        call("CA1", "completed", at=5000, CallDuration="31"),
        settled("unknown", {"From": "=cmd()", "To": SHOP}, at=6000, outcome="dead", reason="exhausted", error="E: x"),
    )
    with_engine(ledger_settings(f"sqlite:///{file}"), lambda engine: Store(engine).write(batch))
    return run


def test_search_is_a_table(filled: Run) -> None:
    """For people: a line for each event."""
    output = filled("search", "--number", "+1 415 555 0123", "--reveal").output
    assert [word in output for word in (PERSON, "SM1", "undelivered", "=cmd()")] == [True, True, True, False]


def test_search_for_programs(filled: Run) -> None:
    """--json and --csv have every column; a spreadsheet takes no cell for a formula."""
    found = json.loads(filled("search", "--status", "dead", "--json", "--reveal").output)
    assert [(event["kind"], event["outcome"], event["params"]["To"]) for event in found] == [("unknown", "dead", SHOP)]
    lines = list(csv.DictReader(StringIO(filled("search", "--since", "2025-01-01", "--csv", "--reveal").output)))
    assert len(lines) == 4
    assert lines[0]["sender"] == "'=cmd()"
    assert json.loads(lines[-1]["params"])["MessageSid"] == "SM1"
    assert json.loads(filled("search", "--since", "1h", "--json").output) == []
    assert filled("search", "--since", "1h", "--csv").output == ""


def test_conversation_is_a_thread(filled: Run) -> None:
    """Who said what, in which direction, and what became of it."""
    lines = filled("conversation", PERSON, SHOP, "--reveal").output.splitlines()
    assert [line[19:].strip() for line in lines] == [
        f"→ {PERSON}: is it [red]ready[/]?  received",
        f"← {SHOP}: (text unknown)  undelivered 30003",
        f"→ {PERSON}: (call, 31 s)  completed",
    ]
    assert [row["sid"] for row in json.loads(filled("conversation", SHOP, PERSON, "--json").output)] == ["SM1", "SM2", "CA1"]


def test_nobody_steers_a_terminal_or_a_spreadsheet(run: Run, tmp_path: Path) -> None:
    """What a stranger writes can neither pass for something else that was said, nor be more than text."""
    file = tmp_path / "var" / "ledger.db"
    file.parent.mkdir()
    file.touch()
    run("migrate")
    body = f"hi\x1b[2J\n2025-06-15 15:06:40 ← {SHOP}: your refund is on its way"
    batch = rows(message("SM1", body), message("SM2", sender="\x1b[31mred", recipient="-1+cmd()"))
    with_engine(ledger_settings(f"sqlite:///{file}"), lambda engine: Store(engine).write(batch))
    first, second = run("conversation", PERSON, SHOP, "--reveal").output.splitlines()
    assert first.endswith(f"{PERSON}: hi\\x1b[2J")
    assert second.startswith(" " * 20)
    assert "\x1b" not in run("search", "--reveal").output
    (line,) = csv.DictReader(StringIO(run("search", "--sid", "SM2", "--csv", "--reveal").output))
    assert line["recipient"] == "'-1+cmd()"


@pytest.mark.parametrize("form", [(), ("--json",), ("--csv",)], ids=["text", "json", "csv"])
@pytest.mark.parametrize("command", [("search",), ("conversation", PERSON, SHOP)], ids=["search", "conversation"])
def test_personal_data_is_masked(filled: Run, command: tuple[str, ...], form: tuple[str, ...]) -> None:
    """As all commands do; --reveal shows numbers and texts."""
    masked, shown = filled(*command, *form).output, filled(*command, *form, "--reveal").output
    for personal in (PERSON, SHOP, "ready"):
        assert personal not in masked
        assert personal in shown or (personal == "ready" and command == ("search",) and not form)
    assert [sid in masked for sid in ("SM1", "SM2", "CA1")] == [sid in shown for sid in ("SM1", "SM2", "CA1")]
    assert "undelivered" in masked


def test_conversation_as_csv(filled: Run) -> None:
    """Messages and calls have columns of their own; each line has all."""
    lines = list(csv.DictReader(StringIO(filled("conversation", PERSON, SHOP, "--csv").output)))
    assert [(line["what"], line["sid"], line["duration"]) for line in lines] == [
        ("message", "SM1", ""),
        ("message", "SM2", ""),
        ("call", "CA1", "31"),
    ]


def test_purge_asks_and_tells(filled: Run) -> None:
    """Nothing is removed without a yes; then it says how much was."""
    refused = str(filled("purge", "--older-than", "1d").exception)
    assert "Matching: 4 events, 2 messages, 1 calls. There is no terminal for the confirmation" in refused
    assert "add --yes" in str(filled("forget", PERSON, "--json").exception)
    assert len(json.loads(filled("search", "--json").output)) == 4
    assert "Removed 4 events, 2 messages, 1 calls." in filled("purge", "--older-than", "1d", "--yes").output
    assert json.loads(filled("search", "--json").output) == []
    nothing = {"removed": {"events": 0, "messages": 0, "calls": 0}}
    assert json.loads(filled("purge", "--older-than", "1d", "--yes", "--json").stdout) == nothing


def test_forget_tells_what_it_did_and_did_not(filled: Run, tmp_path: Path) -> None:
    """A person is gone from the tables and from the file itself, and it says what is elsewhere."""
    output = filled("forget", PERSON, "--yes").output
    assert "Removed 3 events, 2 messages, 1 calls from the ledger." in output
    assert "dead letters" in output
    with sqlite3.connect(tmp_path / "var" / "ledger.db") as ledger:
        ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger.close()
    assert PERSON[1:].encode() not in (tmp_path / "var" / "ledger.db").read_bytes()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (None, "HOOKLINE_LEDGER_URL is not set"),
        ("mysql://root@localhost/x", "HOOKLINE_LEDGER_URL is wrong: it is neither of PostgreSQL nor of SQLite"),
        ("sqlite:///no/such/folder/ledger.db", "cannot be opened"),
        ("sqlite:///new.db", "run `hookline ledger migrate`"),
        ("postgresql://u:s3cr3t@127.0.0.1:1/ledger", "database request failed"),
    ],
)
def test_mistakes_are_one_line(run: Run, monkeypatch: pytest.MonkeyPatch, url: str | None, told: str) -> None:
    """Whatever is wrong with the database is said with what to do, and without its password."""
    if url:
        monkeypatch.setenv("HOOKLINE_LEDGER_URL", url)
    error = run("search").exception
    assert isinstance(error, HooklineError)
    assert told in str(error)
    assert "s3cr3t" not in str(error)
    assert isinstance(error, SettingsError) or "\n" not in str(error)


def test_command_takes_its_time(run: Run, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a batch may take in the database is no limit to who looks through years of history."""
    monkeypatch.setenv("HOOKLINE_LEDGER_URL", postgres_server.new_database())
    monkeypatch.setenv("DATABASE_COMMAND_TIMEOUT_S", "0.00001")
    assert "before: none" in run("migrate").output
    assert "Removed 0 events, 0 messages, 0 calls" in run("forget", PERSON, "--yes").output


def test_since_that_is_no_moment(filled: Run) -> None:
    """What --since takes is said."""
    found = filled("search", "--since", "yesterday")
    assert found.exit_code == 2
    assert "neither an age such as 90d" in found.output
