"""What lies in the ledger stream, and how it is read.

An entry is the event's own entry, field by field, followed by

    ledger.outcome    done or dead
    ledger.topic      the topic it came from   } of those that are done; those that are dead have the fields of their
    ledger.attempts   how often it was tried   } dead letter instead (dead_letter.py)

`settle.lua` writes it. The entry's id tells when that was, by the server's clock; a partition's ids only
rise, and an event stays in its partition, so of two entries about one event the one with the later id counts.
"""

import msgspec

from hookline_shared.errors import UndecodableError
from hookline_shared.event import Event, decode
from hookline_shared.streams.ledger import LedgerEntry

UNDECODABLE = "undecodable"


class SettledEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event and what became of it. `settled_at` is Unix time in milliseconds; `reason` and `error` tell of dead ones."""

    event: Event
    outcome: str
    topic: str
    attempts: int
    settled_at: int
    reason: str = ""
    error: str = ""


def read_entry(entry: LedgerEntry) -> SettledEvent:
    """Read an entry, whatever is in it: what is no event becomes one of kind "undecodable", named after where it lay."""
    named = dict(zip(entry.fields[::2], entry.fields[1::2], strict=False))

    def text(name: bytes) -> str:
        return named.get(name, b"").decode(errors="replace")

    settled_at = int(entry.id.partition("-")[0])
    topic = text(b"dead.topic") or text(b"ledger.topic")
    dead = b"dead.reason" in named
    try:
        event = decode(entry.fields)
    except UndecodableError:
        event = _stand_in(f"{entry.partition}-{topic}-{text(b'dead.entry') or entry.id}", settled_at)
    return SettledEvent(
        event=event,
        outcome=text(b"ledger.outcome"),
        topic=topic,
        attempts=_number(named.get(b"dead.attempts" if dead else b"ledger.attempts", b"")),
        settled_at=settled_at,
        reason=text(b"dead.reason"),
        error=f"{text(b'dead.error')}: {text(b'dead.message')}" if dead else "",
    )


def _stand_in(event_id: str, received_at: int) -> Event:
    return Event(id=event_id, kind=UNDECODABLE, key="", dedupe_key="", received_at=received_at, target="", body=b"")


def _number(text: bytes) -> int:
    return int(text) if text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004 - what fits into every database
