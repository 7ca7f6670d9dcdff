"""The test kit: run handlers without Redis and without a processor, on events as Twilio sends them."""

from hookline_processor.testkit.calls import Call, CallError, call
from hookline_processor.testkit.deliver import (
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
from hookline_processor.testkit.fake_twilio import FakeTwilio
from hookline_processor.testkit.faults import Fault, losing

__all__ = [
    "Call",
    "CallError",
    "Dead",
    "Done",
    "Event",
    "Failure",
    "FakeTwilio",
    "Fault",
    "HookError",
    "Reason",
    "Record",
    "Retry",
    "State",
    "Verdict",
    "call",
    "deliver",
    "losing",
    "make_event",
    "started",
]
