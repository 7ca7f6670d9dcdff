"""The order of the statuses of a message or call, because callbacks arrive in any order. Pure.

Source: Twilio's lists of message statuses and of call statuses. Every status has a different rank, so there are no ties.
"""

from typing import Final

UNKNOWN: Final = 55
"""The rank of an unlisted status: after intermediate statuses, before final ones."""

_MESSAGE: Final = {
    "scheduled": 10,
    "accepted": 20,
    "queued": 30,
    "receiving": 35,
    "sending": 40,
    "sent": 50,
    "canceled": 60,
    "failed": 65,
    "undelivered": 70,
    "partially_delivered": 75,
    "received": 80,
    "delivered": 85,
    "read": 90,
}
_CALL: Final = {
    "queued": 10,
    "initiated": 20,
    "ringing": 30,
    "in-progress": 40,
    "canceled": 60,
    "no-answer": 65,
    "busy": 70,
    "failed": 75,
    "completed": 90,
}


def message_rank(status: str) -> int:
    """Return the rank of the status of a message, or 0 if it is empty."""
    return _MESSAGE.get(status, UNKNOWN) if status else 0


def call_rank(status: str) -> int:
    """Return the rank of the status of a call, or 0 if it is empty."""
    return _CALL.get(status, UNKNOWN) if status else 0
