"""Verdicts on an attempt: Done, Retry or Dead, and the function that decides. Pure."""

import math
import traceback
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, NamedTuple

from hookline_processor.replies.message import Message, Reply, UnfitError
from hookline_processor.replies.outputs import NOTHING, Outputs
from hookline_processor.retry_policy import RetryPolicy, backoff_s, seconds
from hookline_processor.retry_record import Record
from hookline_shared.observability.redaction import redact_quotes
from hookline_shared.observability.secrets import SECRETS

_PACKAGE: Final = str(Path(__file__).parent)
_TRACEBACK_TAIL: Final = 4000
_MESSAGE_LIMIT: Final = 1000
_MIN_DELAY_S: Final = 0.1
_MAX_DELAY_S: Final = 30 * 86400.0
_EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})


class Reject(Exception):
    """Raise this in a handler if the event can never succeed. It becomes a dead letter at once, with the reason "rejected".

    The arguments are those of `Exception`; the message is stored in the dead letter.
    """


class RetryLater(Exception):
    """Raise this in a handler to be run again after `delay`. It does not count as a failed attempt.

    `delay` is a number of seconds or a timedelta, limited to the range from 0.1 s to 30 days. The attribute `delay` is a
    number of seconds.

    Raises:
        ValueError: if `delay` is not a number.

    """

    def __init__(self, delay: float | timedelta) -> None:
        delay_s = seconds(delay)
        if math.isnan(delay_s):
            raise ValueError("RetryLater needs a number of seconds or a timedelta")
        self.delay = min(max(delay_s, _MIN_DELAY_S), _MAX_DELAY_S)
        super().__init__(f"again in {self.delay} s")


class AwayError(RetryLater):
    """What an event is for is away: it is attempted again after `delay` seconds, without a failed attempt of its own.

    Unlike `RetryLater`, it counts against the destination, so that its breaker opens.
    """

    def __init__(self, message: str, delay: float) -> None:
        super().__init__(delay)
        self.args = (message,)


class Reason(StrEnum):
    """Why an event is a dead letter. No verdict is "dropped": an operator did that (`scripts/waiting/drop.lua`), nor "reused":
    ingress did that (`scripts/append.lua`)."""

    REJECTED = "rejected"
    EXHAUSTED = "exhausted"
    TIMED_OUT = "timed_out"
    UNHANDLED = "unhandled"
    UNDECODABLE = "undecodable"
    POISON = "poison"
    DROPPED = "dropped"
    REUSED = "reused"
    UNFIT = "unfit"
    REFUSED = "refused"
    OPTED_OUT = "opted_out"
    UNKNOWN = "unknown"
    EXPIRED = "expired"


class UndeliverableError(Reject):
    """A message that is not sent, for a `reason` that no other attempt changes."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Failure(NamedTuple):
    """A failed attempt as text: the class of the error, its message, and the end of its traceback."""

    type: str
    message: str
    traceback: str = ""
    answer: str = ""
    """What the destination answered, which may be personal: it is stored in a dead letter, and never logged."""

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """Return the failure for `error`, without the secrets that this process knows: it is stored and shown to people.

        The traceback begins in the handler: the frames above are always the same.
        """
        try:
            error.__traceback__ = _from_user_code(error.__traceback__)
            described = traceback.TracebackException.from_exception(error)  # survives an error whose __str__ fails
            message = SECRETS.hide_in_start(str(described), _MESSAGE_LIMIT)
            tail = SECRETS.hide_in_end("".join(described.format()), _TRACEBACK_TAIL)
        except BaseException as mistake:  # noqa: BLE001 - whatever else of it fails, and in whatever way
            return cls(type(error).__name__, f"it cannot be described: {type(mistake).__name__}")
        answer = getattr(error, "answer", "")
        if isinstance(answer, str) and answer:
            return cls(type(error).__name__, _without_surrogates(message), "", _without_surrogates(SECRETS.hide(answer)))
        return cls(type(error).__name__, _without_surrogates(message), _without_surrogates(tail))

    def redacted(self, personal: Collection[str]) -> "Failure":
        """Return the failure for logs, with quotations of `personal` values redacted."""
        message, raised = (redact_quotes(text, personal) for text in (self.message, self.traceback))
        return self._replace(message=message, traceback=raised, answer="")


@dataclass(frozen=True, slots=True)
class Done:
    """The handler succeeded; the event is settled, together with its `outputs`. Two of them are equal, whatever those are."""

    outputs: Outputs = field(default=NOTHING, compare=False)

    @property
    def replies(self) -> list[Reply | Message]:
        """What the handler returned, as messages, in order."""
        return list(self.outputs.replies)

    @property
    def sent(self) -> list[Message]:
        """What the handler passed to `context.send`, in order."""
        return list(self.outputs.sent)

    @property
    def memory(self) -> Mapping[str, Any]:
        """What is remembered of the conversation afterwards. In a processor it is empty if that has not changed."""
        return self.outputs.document or {}


DONE: Final = Done()
"""The verdict on an event without outputs, which most have."""


class Retry(NamedTuple):
    """The event is attempted again at `record.next_at`. `failure` is None after `RetryLater`."""

    record: Record
    failure: Failure | None = None
    replies: tuple[Reply | Message, ...] = ()
    """Nothing: an attempt that fails sends nothing."""
    sent: tuple[Message, ...] = ()
    memory: Mapping[str, Any] = _EMPTY
    """What was remembered before: an attempt that fails changes nothing."""


class Dead(NamedTuple):
    """The event becomes a dead letter. `attempts` counts failed attempts with this one; `first_failed_at` is in Unix ms."""

    reason: Reason
    failure: Failure
    attempts: int
    first_failed_at: int
    replies: tuple[Reply | Message, ...] = ()
    """Nothing: an attempt that fails sends nothing."""
    sent: tuple[Message, ...] = ()
    memory: Mapping[str, Any] = _EMPTY
    """What was remembered before: an attempt that fails changes nothing."""


Verdict = Done | Retry | Dead


def expired_verdict(record: Record, received_at: int, now_ms: int) -> Dead:
    """Return the verdict on a live event that nobody waits for any more. It is not attempted. Times are Unix time in ms."""
    message = (
        f"It was received {(now_ms - received_at) // 1000} s before it could be handled, and the caller has heard the fallback "
        'by then. Set expired = "run" on the live route to handle such events all the same.'
    )
    return Dead(Reason.EXPIRED, Failure("Expired", message), record.failures, record.first_failed_at or now_ms)


def poison_verdict(record: Record, now_ms: int) -> Dead:
    """Return the verdict on an event that is poison by its `record`. It is not attempted again."""
    if record.cut > record.begun:
        message = f"The processor was stopped {record.cut} times in a row while it attempted this event, which never ended."
        failure = Failure("ProcessStopped", message)
    else:
        message = f"The process died {record.begun} times in a row, or more, while it attempted this event."
        failure = Failure("ProcessDied", message)
    return Dead(Reason.POISON, failure, record.failures + record.begun + record.cut, record.first_failed_at or now_ms)


def _from_user_code(raised: TracebackType | None) -> TracebackType | None:
    """Return the traceback from the first frame outside this package, or all of it if there is none."""
    rest = raised
    while rest is not None and rest.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        rest = rest.tb_next
    return rest or raised


def _without_surrogates(text: str) -> str:
    """Return `text` without lone surrogates, which UTF-8 cannot encode."""
    return text.encode(errors="replace").decode()


def verdict_on_error(
    error: BaseException, record: Record, policy: RetryPolicy, now_ms: int, jitter: float, longest_s: float = math.inf
) -> Retry | Dead:
    """Return the verdict on an event whose handler raised `error`.

    `record` describes the earlier attempts; `now_ms` is Unix time in milliseconds; `jitter` is random, from 0 to 1.
    `longest_s` is the longest delay in seconds, whatever the policy or an app that is away says.
    """
    if isinstance(error, RetryLater):
        away = Failure.of(error) if isinstance(error, AwayError) else None
        delay_s = min(longest_s, error.delay) if away else error.delay
        return Retry(record.postponed(now_ms + round(delay_s * 1000)), away)
    failure = Failure.of(error)
    attempts = record.failures + 1
    first = record.first_failed_at or now_ms
    reason = _dead_reason(error, attempts, policy)
    if reason is not None:
        return Dead(reason, failure, attempts, first)
    next_at = now_ms + round(min(longest_s, backoff_s(policy, attempts, jitter)) * 1000)
    summary = f"{failure.type}: {failure.message}"[:500]
    retried = Record(failures=attempts, next_at=next_at, first_failed_at=first, error=summary, interrupted=record.interrupted)
    return Retry(retried, failure)


def _dead_reason(error: BaseException, attempts: int, policy: RetryPolicy) -> Reason | None:
    """Return why the event is dead after `attempts` attempts, or None if there is another attempt.

    A time-out is TIMED_OUT even if the policy gives up on it. Unlike a rejection, it says something about the destination.
    """
    if isinstance(error, UnfitError):
        return Reason.UNFIT
    if isinstance(error, Reject):
        return error.reason if isinstance(error, UndeliverableError) else Reason.REJECTED
    given_up = isinstance(error, policy.give_up_on)
    if not given_up and attempts < policy.max_attempts:
        return None
    if isinstance(error, TimeoutError):
        return Reason.TIMED_OUT
    return Reason.REJECTED if given_up else Reason.EXHAUSTED
