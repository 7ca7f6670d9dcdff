"""From events to rows, and what is kept of them."""

import json
import subprocess
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline_processor.events.placeholder import UNDECODABLE
from hookline_processor.ledger.body_policy import BodyPolicy
from hookline_processor.ledger.entry import read_entry
from hookline_processor.ledger.rows.addresses import normalise
from hookline_processor.ledger.rows.rows import rows_of
from hookline_processor.ledger.rows.status_order import call_rank, message_rank
from hookline_processor.ledger.url import parse_database_url
from hookline_processor.partition.outcomes import dead_letter_fields
from hookline_processor.verdicts import Dead, Failure, Reason
from hookline_shared.event import BODY_FIELD, TEXT_FIELDS, text_values
from hookline_shared.streams.ledger import LedgerEntry
from tests.support.storage.ledger import PERSON, SHOP, message, settled, status

JSON = "application/json"


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("+14155550123", "+14155550123"),
        ("whatsapp:+14155550123", "+14155550123"),
        ("14155550123", "+14155550123"),
        ("0014155550123", "+14155550123"),
        ("+1 (415) 555-0123", "+14155550123"),
        (" +1.415.555.0123 ", "+14155550123"),
        ("12345", "12345"),
        ("client:Alice", "client:alice"),
        ("sip:Bob@Example.com", "sip:bob@example.com"),
        ("Zoë@Example.com", "zoë@example.com"),
        ("MyBrand 24", "mybrand 24"),
        ("", ""),
    ],
)
def test_addresses_have_one_spelling(written: str, stored: str) -> None:
    """However a number is written, it is found."""
    assert normalise(written) == stored
    assert normalise(stored) == stored


@given(st.text())
def test_any_address_is_spelled_once(text: str) -> None:
    """Spelling it again changes nothing."""
    assert normalise(normalise(text)) == normalise(text)


def test_message_that_was_sent() -> None:
    """It has a row from the moment that Twilio has it, under the SID that its status callbacks have, which may come first."""
    body = {"To": PERSON, "From": SHOP, "Body": "thanks", "MediaUrl": ["https://example.com/a.png"], "HooklineToken": "t"}
    sent = settled("message.send", body=json.dumps(body).encode(), content_type=JSON, settled_at=9)
    row = rows_of(msgspec.structs.replace(sent, sid="SM1"), BodyPolicy.KEEP).message
    assert row is not None
    assert (row["sid"], row["status"], row["direction"], row["body"]) == ("SM1", "queued", "outbound", "thanks")
    assert (row["sender"], row["recipient"], row["status_at"]) == (SHOP, PERSON, sent.settled_at)
    assert row["media"] == [{"url": "https://example.com/a.png", "type": ""}]
    assert rows_of(sent, BodyPolicy.KEEP).message is None, "Twilio does not have it"


def test_statuses_never_tie() -> None:
    """The end of a message or call is later than everything before it, and an unknown status is in between."""
    assert message_rank("") < message_rank("queued") < message_rank("sent") < message_rank("new") < message_rank("failed")
    assert message_rank("undelivered") < message_rank("delivered") < message_rank("read")
    assert call_rank("ringing") < call_rank("in-progress") < call_rank("new") < call_rank("busy") < call_rank("completed")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://localhost/ledger", "neither of PostgreSQL nor of SQLite"),
        ("/var/ledger.db", "neither of PostgreSQL nor of SQLite"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("postgresql://u:s3cr3t@host:port/ledger", "not a URL"),
        ("postgresql://u:s3cr3t@host", "names no database"),
    ],
)
def test_wrong_url_is_told(url: str, told: str) -> None:
    """What is wrong with HOOKLINE_LEDGER_URL is said without quoting its password."""
    with pytest.raises(ValueError, match=told) as caught:
        parse_database_url(url)
    assert "s3cr3t" not in str(caught.value)


def test_missing_driver_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lacks the driver is told what to install."""
    monkeypatch.setattr("hookline_processor.ledger.url.find_spec", lambda name: None if name == "asyncpg" else object())
    with pytest.raises(ValueError, match=r"asyncpg is not installed: run pip install .*'asyncpg>="):
        parse_database_url("postgresql://host/ledger")


def test_url_as_sqlalchemy_wants_it() -> None:
    """The driver is ours to name, and options are the driver's, but for SQLAlchemy's own."""
    found = parse_database_url(
        "postgres://u:p%40ss@host/ledger?sslmode=require&prepared_statement_cache_size=0&sslpassword=x%20y"
    )
    assert found.url == "postgresql+asyncpg://u:p%40ss@host/ledger?prepared_statement_cache_size=0"
    assert found.options == "sslmode=require&sslpassword=x+y"
    assert found.secrets == ("p%40ss", "p@ss", "x y")
    assert parse_database_url("sqlite:////data/ledger.db") == ("sqlite+aiosqlite:////data/ledger.db", "/data/ledger.db", (), "")


def entry(fields: list[bytes], **more: str) -> LedgerEntry:
    words = [word.encode() for pair in more.items() for word in (pair[0].replace("_", "."), pair[1])]
    return LedgerEntry(3, "1750000000777-2", [*fields, *words])


def fields_of(event: Any) -> list[bytes]:
    names = [word.encode() for pair in zip(TEXT_FIELDS, text_values(event), strict=True) for word in pair]
    return [*names, BODY_FIELD.encode(), event.body]


def test_entry_of_a_done_event() -> None:
    """What the settling script wrote is read back."""
    event = message("SM1").event
    found = read_entry(entry(fields_of(event), ledger_outcome="done", ledger_topic="calls", ledger_attempts="3"))
    assert (found.event, found.outcome, found.topic, found.attempts) == (event, "done", "calls", 3)
    assert (found.settled_at, found.reason, found.error) == (1_750_000_000_777, "", "")


def test_entry_of_a_dead_event() -> None:
    """A dead letter's own fields tell the reason."""
    event = message("SM1").event
    words = [
        word.encode() for word in dead_letter_fields(Dead(Reason.REJECTED, Failure("Reject", "no"), 2, 5), "bulk", "1-0", 9)
    ]
    found = read_entry(entry([*fields_of(event), *words], ledger_outcome="dead"))
    assert (found.outcome, found.topic, found.attempts) == ("dead", "bulk", 2)
    assert (found.reason, found.error) == ("rejected", "Reject: no")


@given(st.lists(st.binary(max_size=20), max_size=40))
def test_any_entry_can_be_read(fields: list[bytes]) -> None:
    """What is no event has a row, too, under a name of its own."""
    found = read_entry(entry(fields, ledger_outcome="dead"))
    assert found.event.kind == UNDECODABLE
    assert rows_of(found, BodyPolicy.KEEP).event["id"]


@given(
    st.binary(max_size=200),
    st.sampled_from(["message.received", "call.status", "sync.document_updated", "unknown"]),
    st.sampled_from(BodyPolicy),
)
def test_any_body_makes_rows(body: bytes, kind: str, bodies: BodyPolicy) -> None:
    """Whatever was sent, there are rows, and no NUL in them."""
    for content_type in ("application/x-www-form-urlencoded", JSON, ""):
        found = rows_of(settled(kind, body=body, content_type=content_type), bodies)
        assert "\\u0000" not in json.dumps([found.event["params"], found.message]).replace("\\\\", "")


def test_json_is_kept_as_json() -> None:
    """Parameters that are JSON can be searched as such."""
    body = {"id": "EV1", "data": {"to": PERSON, "n": [1, None, True]}}
    found = rows_of(settled("event.stream", body=json.dumps(body).encode(), content_type=JSON), BodyPolicy.KEEP)
    assert found.event["params"] == body
    assert found.event["sid"] == "EV1"


def test_dropped_bodies_are_nowhere() -> None:
    """With LEDGER_BODIES=drop no content is in any row, an error that quotes it included; who and when stay."""
    event = settled(
        "message.received",
        {
            "MessageSid": "SM1",
            "From": PERSON,
            "To": SHOP,
            "Body": "my secret",
            "ProfileName": "Zoë",
            "NumMedia": "1",
            "MediaUrl0": "https://media.example/secret",
        },
        outcome="dead",
        error="ValueError: cannot handle 'my secret' of Zoë",
    )
    found = rows_of(event, BodyPolicy.DROP)
    shown = json.dumps(found)
    assert "secret" not in shown
    assert "Zo" not in shown
    assert (found.event["sender"], found.event["params"]["From"]) == (PERSON, PERSON)


def test_hashed_bodies_can_be_compared() -> None:
    """With LEDGER_BODIES=hash equal texts have equal hashes, and the texts are gone."""
    same, other, different = (rows_of(message("SM1", body), BodyPolicy.HASH) for body in ("my secret", "my secret", "another"))
    bodies = [(row.message or {})["body"] for row in (same, other, different)]
    assert bodies[0] == bodies[1] != bodies[2]
    assert same.event["params"]["Body"] == bodies[0]
    assert "secret" not in json.dumps(same)


def test_nested_content_is_not_kept() -> None:
    """Content inside JSON is content, too."""
    body = json.dumps({"type": "x", "data": {"messageSid": "SM1", "body": ["my secret"]}}).encode()
    for bodies in (BodyPolicy.HASH, BodyPolicy.DROP):
        assert "secret" not in json.dumps(rows_of(settled("event.stream", body=body, content_type=JSON), bodies).event)


def test_subject_of_a_stranger() -> None:
    """An event of a kind whose SIDs the ledger does not know is found by the most specific SID that it names."""
    gizmo = "GZ" + "1" * 32
    found = rows_of(settled("unknown", {"AccountSid": "AC" + "1" * 32, "GizmoSid": gizmo}), BodyPolicy.KEEP)
    assert found.event["sid"] == gizmo


def test_direction() -> None:
    """What came in is told from what was sent."""
    received, sent = rows_of(message("SM1"), BodyPolicy.KEEP).message, rows_of(status("SM2", "queued"), BodyPolicy.KEEP).message
    assert [(row or {})["direction"] for row in (received, sent)] == ["inbound", "outbound"]


def test_who_has_no_database_loads_nothing_of_it() -> None:
    """Neither the processor nor the command line loads SQLAlchemy, a driver or Alembic before a database is named."""
    code = (
        "import sys, hookline_processor.app, hookline_processor.main, hookline_cli.main\n"
        "print([name for name in ('sqlalchemy', 'alembic', 'asyncpg', 'aiosqlite') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
