"""A stand-in for an entry that has no readable event, so that it can be settled and recorded like any other. Pure."""

from typing import Final

from hookline_shared.event import Event

GONE: Final = "gone"
UNDECODABLE: Final = "undecodable"


def placeholder(event_id: str, kind: str, entry_id: str) -> Event:
    """Return an event without content. `kind` is GONE or UNDECODABLE; the time of receipt is that of `entry_id`."""
    received_at = added_at(entry_id)
    return Event(id=event_id, kind=kind, key="", dedupe_key="", received_at=received_at, target="", body=b"")


def added_at(entry_id: str) -> int:
    """Return when Redis added the entry, in Unix time in milliseconds: the first part of its id."""
    return int(entry_id.partition("-")[0])


def is_placeholder(event: Event) -> bool:
    """Whether `event` is a stand-in: every webhook has a target."""
    return not event.target
