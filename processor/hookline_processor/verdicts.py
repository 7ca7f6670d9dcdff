"""What becomes of an event after an attempt: Done, Retry or Dead. Pure values, and the one function that decides."""

import math
import traceback
from collections.abc import Collection
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple

from hookline_processor.retry import Record, RetryPolicy, backoff_s, seconds
from hookline_shared.observability.redaction import redact_quotes

_PACKAGE: Final = str(Path(__file__).parent)
_TRACEBACK_TAIL: Final = 4000
_MESSAGE_LIMIT: Final = 1000
_SHORTEST_DELAY_S: Final = 0.1
_LONGEST_DELAY_S: Final = 30 * 86400.0


class Reject(Exception):
    """Raised by a handler: this event will never succeed; dead-letter it now, with this message."""


class RetryLater(Exception):
    """Raised by a handler: run it again in `delay`, seconds or a timedelta. It does not count as a failed attempt.

    A delay below 0.1 s counts as that, one above 30 days as 30 days.

    Raises:
        ValueError: if `delay` is not a number.

    """

    def __init__(self, delay: float | timedelta) -> None:
        delay_s = seconds(delay)
        if math.isnan(delay_s):
            raise ValueError("RetryLater needs a number of seconds or a timedelta")
        self.delay = min(max(delay_s, _SHORTEST_DELAY_S), _LONGEST_DELAY_S)
        super().__init__(f"again in {self.delay} s")


class Reason(StrEnum):
    """Why an event is a dead letter."""

    REJECTED = "rejected"
    EXHAUSTED = "exhausted"
    TIMED_OUT = "timed_out"
    UNHANDLED = "unhandled"
    UNDECODABLE = "undecodable"
    POISON = "poison"


class Failure(NamedTuple):
    """What went wrong, in words: the error's type, its message, and the end of its traceback."""

    type: str
    message: str
    traceback: str = ""

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """Describe `error`. Its traceback begins with the handler: what is above is always the same, and dear to format."""
        error.__traceback__ = _without_ours(error.__traceback__)
        described = traceback.TracebackException.from_exception(error)  # survives an error whose __str__ fails
        tail = "".join(described.format())[-_TRACEBACK_TAIL:]
        return cls(type(error).__name__, _storable(str(described)[:_MESSAGE_LIMIT]), _storable(tail))

    def without(self, personal: Collection[str]) -> "Failure":
        """Return this as it may be logged: without what it quotes of `personal` values."""
        return self._replace(message=redact_quotes(self.message, personal), traceback=redact_quotes(self.traceback, personal))


class Done(NamedTuple):
    """The event is settled."""


class Retry(NamedTuple):
    """The event is attempted again when its record says so."""

    record: Record
    failure: Failure | None = None


class Dead(NamedTuple):
    """The event goes to the dead letters. `attempts` counts those that failed, this one included."""

    reason: Reason
    failure: Failure
    attempts: int
    first_failed_at: int


Verdict = Done | Retry | Dead


def poisoned(record: Record, now_ms: int) -> Dead:
    """Return the verdict on an event whose `record` says that it is poison, without another attempt."""
    message = f"The process died {record.begun} times in a row, or more, while it attempted this event."
    return Dead(
        Reason.POISON, Failure("ProcessDied", message), record.failures + record.begun, record.first_failed_at or now_ms
    )


def _without_ours(raised: TracebackType | None) -> TracebackType | None:
    """Return the part of a traceback that begins with the first frame which is not of this package; all of it if all are."""
    part = raised
    while part is not None and part.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        part = part.tb_next
    return part or raised


def _storable(text: str) -> str:
    """Return `text` without lone surrogates, which UTF-8 cannot hold."""
    return text.encode(errors="replace").decode()


def verdict_on_error(error: BaseException, record: Record, policy: RetryPolicy, now_ms: int, jitter: float) -> Retry | Dead:
    """Decide what becomes of an event whose handler raised `error`.

    `record` tells of the attempts before; `now_ms` is Unix time in milliseconds; `jitter` is random, from 0 to 1.
    """
    if isinstance(error, RetryLater):
        return Retry(record.postponed(now_ms + round(error.delay * 1000)))
    failure = Failure.of(error)
    attempts = record.failures + 1
    first = record.first_failed_at or now_ms
    reason = _reason_to_give_up(error, attempts, policy)
    if reason is not None:
        return Dead(reason, failure, attempts, first)
    next_at = now_ms + round(backoff_s(policy, attempts, jitter) * 1000)
    summary = f"{failure.type}: {failure.message}"[:500]
    return Retry(Record(failures=attempts, next_at=next_at, first_failed_at=first, error=summary), failure)


def _reason_to_give_up(error: BaseException, attempts: int, policy: RetryPolicy) -> Reason | None:
    """Return why there is no other attempt after `attempts`, None if there is one.

    A time-out has its own reason also where the policy gives up on it: unlike a rejection it tells of the destination.
    """
    if isinstance(error, Reject):
        return Reason.REJECTED
    given_up = isinstance(error, policy.give_up_on)
    if not given_up and attempts < policy.max_attempts:
        return None
    if isinstance(error, TimeoutError):
        return Reason.TIMED_OUT
    return Reason.REJECTED if given_up else Reason.EXHAUSTED
