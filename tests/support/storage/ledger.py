"""Settled events, and a look into the tables of the ledger."""

from itertools import count
from typing import Any
from urllib.parse import urlencode

import redis
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from hookline_processor.ledger.body_policy import BodyPolicy
from hookline_processor.ledger.database.schema import calls, events, messages
from hookline_processor.ledger.entry import SettledEvent
from hookline_processor.ledger.rows.rows import Rows, rows_of
from hookline_processor.ledger.settings import LedgerSettings
from hookline_shared.event import BODY_FIELD, TEXT_FIELDS, Event, new_event_id, text_values
from hookline_shared.validation import read_variables
from tests.support.storage.keys import keys

START_MS = 1_750_000_000_000
PERSON, SHOP = "+14155550123", "+18005551212"
FORM = "application/x-www-form-urlencoded"

_number = count(1)
_TABLES = {"events": events, "messages": messages, "calls": calls}


def ledger_settings(url: str, **others: Any) -> LedgerSettings:
    """Return the settings of a ledger in the database `url`."""
    return read_variables(LedgerSettings, {"HOOKLINE_LEDGER_URL": url, **others})


def settled(
    kind: str,
    params: dict[str, str] | None = None,
    *,
    at: int = 0,
    settled_at: int = 0,
    body: bytes | None = None,
    content_type: str = FORM,
    event_id: str = "",
    outcome: str = "done",
    attempts: int = 1,
    reason: str = "",
    error: str = "",
) -> SettledEvent:
    """Return an event with an id of its own that was received `at` ms after the start, and settled later."""
    received_at = START_MS + at
    made_at = min(received_at, START_MS)
    event = Event(
        id=event_id or new_event_id(made_at + next(_number)),
        kind=kind,
        key=":".join((params or {}).get(name, "") for name in ("From", "To")),
        dedupe_key=f"AC1:{next(_number)}",
        received_at=received_at,
        account="AC1",
        content_type=content_type,
        target="/twilio",
        body=urlencode(params or {}).encode() if body is None else body,
    )
    return SettledEvent(
        event=event,
        outcome=outcome,
        topic="messages",
        attempts=attempts,
        settled_at=START_MS + (settled_at or at + 5),
        reason=reason,
        error=error,
    )


def message(
    sid: str, body: str = "hello", *, sender: str = PERSON, recipient: str = SHOP, at: int = 0, **more: str
) -> SettledEvent:
    """Return an inbound message."""
    params = {"MessageSid": sid, "SmsStatus": "received", "From": sender, "To": recipient, "Body": body, "NumMedia": "0"}
    return settled("message.received", params | more, at=at)


def status(sid: str, name: str, *, at: int = 0, sender: str = SHOP, recipient: str = PERSON, **more: str) -> SettledEvent:
    """Return a status callback of an outbound message."""
    params = {"MessageSid": sid, "MessageStatus": name, "From": sender, "To": recipient}
    return settled("message.status", params | more, at=at)


def call(sid: str, name: str, *, at: int = 0, sender: str = PERSON, recipient: str = SHOP, **more: str) -> SettledEvent:
    """Return a step of a call."""
    params = {"CallSid": sid, "CallStatus": name, "From": sender, "To": recipient, "Direction": "inbound"}
    return settled("call.status", params | more, at=at)


def rows(*events_settled: SettledEvent, bodies: BodyPolicy = BodyPolicy.KEEP) -> list[Rows]:
    """Return the rows of events."""
    return [rows_of(one, bodies) for one in events_settled]


def put_entry(client: "redis.Redis", sid: str, partition: int = 2, body: str = "hello") -> None:
    """Add a message to the ledger stream of a partition, as the settling script does."""
    event = message(sid, body).event
    words: list[Any] = [word for pair in zip(TEXT_FIELDS, text_values(event), strict=True) for word in pair]
    words += [BODY_FIELD, event.body, "ledger.outcome", "done", "ledger.topic", "messages", "ledger.attempts", "1"]
    client.execute_command("XADD", keys.ledger(partition), "*", *words)


async def content(engine: AsyncEngine, table: str) -> list[dict[str, Any]]:
    """Return all rows of a table, by their keys."""
    own = _TABLES[table]
    async with engine.connect() as connection:
        found = await connection.execute(select(own).order_by(*own.primary_key.columns))
        return [dict(row) for row in found.mappings()]
