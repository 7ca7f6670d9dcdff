"""The names of the kinds of events. Kinds of a family end with Twilio's name of the event: `conversation.onMessageAdded`."""

from functools import lru_cache
from typing import Final

FAMILIES: Final = ("conversation", "taskrouter", "verify", "sync", "debugger")
"""The families. Twilio defines what can follow their name."""

SINGLE: Final = (
    "message.received",
    "message.status",
    "call.received",
    "call.status",
    "recording.status",
    "transcription",
    "studio",
    "event.stream",
    "sendgrid.event",
    "unknown",
)


@lru_cache(maxsize=1024)
def label_of(kind: str) -> str:
    """Return the value of the metrics' label for `kind`, one of a small, fixed set: one for all kinds of a family."""
    family, _, _ = kind.partition(".")
    if family in FAMILIES:
        return f"{family}.*"
    return kind if kind in SINGLE else "other"
