"""What may happen to a request to the fake Twilio."""

from collections.abc import Callable, Mapping
from enum import Enum
from random import Random


class Fault(Enum):
    """What happens to a request to send a message."""

    NONE = "none"
    LOST_ANSWER = "accepted, and then the connection is cut"
    LOST_REQUEST = "cut before it was accepted"
    SERVER_ERROR = "500, and not accepted"
    ACCEPTED_WITH_503 = "503, and accepted all the same"
    NO_SID = "accepted, and the answer has no SID"
    SLOW = "accepted, and answered after three seconds"


ACCEPTED = frozenset({Fault.NONE, Fault.LOST_ANSWER, Fault.ACCEPTED_WITH_503, Fault.NO_SID, Fault.SLOW})
"""The faults of requests whose message Twilio has."""

Chooser = Callable[[Mapping[str, str]], Fault]
"""Chooses what happens to a request, from its form."""


def none(_form: Mapping[str, str]) -> Fault:
    """Return no fault."""
    return Fault.NONE


def losing(share: float, fault: Fault, seed: int = 1) -> Chooser:
    """Return a chooser of `fault` for a share of all requests, from 0 to 1: the same ones for the same `seed`."""
    random = Random(seed)  # noqa: S311 - it guards nothing
    return lambda _form: fault if random.random() < share else Fault.NONE
