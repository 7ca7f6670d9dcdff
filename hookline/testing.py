"""The test kit: run handlers without Redis and without a processor, on events as Twilio sends them."""

from hookline_processor.call_kit import Call, CallError, call
from hookline_processor.testing import (
    Dead,
    Done,
    Event,
    Failure,
    HookError,
    Reason,
    Record,
    Retry,
    State,
    Verdict,
    deliver,
    make_event,
    started,
)

__all__ = [
    "Call",
    "CallError",
    "Dead",
    "Done",
    "Event",
    "Failure",
    "HookError",
    "Reason",
    "Record",
    "Retry",
    "State",
    "Verdict",
    "call",
    "deliver",
    "make_event",
    "started",
]
