"""Testing handlers without Redis and without a running processor: events as Twilio would send them, and their verdicts."""

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
    "deliver",
    "make_event",
    "started",
]
