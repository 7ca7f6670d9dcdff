"""The wire format of an entry in the ledger stream, and its decoder.

An entry has the fields of the event's entry, followed by

    ledger.outcome    done or dead
    ledger.topic      the topic of the event   } only for done events; dead ones have the fields of the dead letter
    ledger.attempts   the number of attempts   } instead (hookline_shared/dead_letter.py)
    ledger.sid        what Twilio calls the message that a done `message.send` has sent

`settle.lua` writes it. The id of the entry is the time of settlement by the clock of the server. Ids of a partition only
increase, and an event stays in its partition, so of two entries about one event the one with the later id counts.
"""

import msgspec

from hookline_processor.events.placeholder import UNDECODABLE, added_at, placeholder
from hookline_shared.errors import UndecodableError
from hookline_shared.event import Event, decode
from hookline_shared.streams.ledger import LedgerEntry


class SettledEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event and its outcome. `settled_at` is Unix time in milliseconds; `reason` and `error` are empty unless it is dead.

    `sid` is what Twilio calls the message that it has sent, empty for all events that send none.
    """

    event: Event
    outcome: str
    topic: str
    attempts: int
    settled_at: int
    reason: str = ""
    error: str = ""
    sid: str = ""


def read_entry(entry: LedgerEntry) -> SettledEvent:
    """Return the settled event of `entry`. An undecodable entry becomes an event of kind "undecodable" with a derived id."""
    named = dict(zip(entry.fields[::2], entry.fields[1::2], strict=False))

    def text(name: bytes) -> str:
        return named.get(name, b"").decode(errors="replace")

    topic = text(b"dead.topic") or text(b"ledger.topic")
    dead = b"dead.reason" in named
    try:
        event = decode(entry.fields)
    except UndecodableError:
        event = placeholder(f"{entry.partition}-{topic}-{text(b'dead.entry') or entry.id}", UNDECODABLE, entry.id)
    return SettledEvent(
        event=event,
        outcome=text(b"ledger.outcome"),
        topic=topic,
        attempts=_number(named.get(b"dead.attempts" if dead else b"ledger.attempts", b"")),
        settled_at=added_at(entry.id),
        reason=text(b"dead.reason"),
        sid=text(b"ledger.sid"),
        error=f"{text(b'dead.error')}: {text(b'dead.message')}" if dead else "",
    )


def _number(text: bytes) -> int:
    return int(text) if text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004 - fits into an integer column of every database
