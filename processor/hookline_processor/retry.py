"""When a failed event is attempted again, and the record of it that outlives the process. Pure.

The record also tells of attempts that were begun and never ended, because the process died: an event that was under way in
several deaths may be what the process dies of, and is poison. Not every attempt is recorded when it begins, which would double
the writes; only that of an event that was pending already when it was read, so that a first death may have happened. An event
with an attempt on record that never ended is attempted only while no other such event is: of those that were there by chance,
none is taken for the cause of the next death.

Exponential backoff with full jitter: the delay is drawn evenly between nothing and a bound that doubles with every failure.
Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
"""

import math
from datetime import timedelta
from typing import Final, NamedTuple

import msgspec

_POISON_AFTER: Final = 2
"""Attempts on record that never ended, after which an event is not attempted again. With the first, which is not on record,
the process has then died of it three times."""
_MAX_DOUBLINGS: Final = 32  # beyond any sensible bound; keeps 2 ** n from overflowing a float


def seconds(duration: float | timedelta) -> float:
    """Return `duration` in seconds."""
    return duration.total_seconds() if isinstance(duration, timedelta) else float(duration)


def is_time_span(duration: object) -> bool:
    """Whether `duration` is a timedelta or a number of seconds, above 0 and finite."""
    if not isinstance(duration, int | float | timedelta) or isinstance(duration, bool):
        return False
    return 0 < seconds(duration) < math.inf


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often, and how far apart. `base` bounds the first delay, `max` every delay; both are seconds or a timedelta.

    An error of a class in `give_up_on` makes the event a dead letter at once.

    Raises:
        ValueError: if nothing could ever be attempted, no delay be drawn, or `give_up_on` has what is no class of exceptions.

    """

    max_attempts: int = 8
    base: float | timedelta = 1.0
    max: float | timedelta = 300.0
    give_up_on: tuple[type[Exception], ...] = ()

    def __post_init__(self) -> None:
        if self.max_attempts < 1 or not is_time_span(self.base) or not is_time_span(self.max):
            raise ValueError(
                "a RetryPolicy needs max_attempts of at least 1, and base and max above 0, in seconds or as a timedelta"
            )
        if not isinstance(self.give_up_on, tuple) or not all(map(_is_exception_class, self.give_up_on)):
            raise ValueError("give_up_on of a RetryPolicy is a tuple of classes of exceptions, such as (ValueError,)")


def _is_exception_class(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, Exception)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an event's failed attempts; all times are Unix time in milliseconds, 0 for never.

    `begun` counts the attempts of recovered events that were begun and have not ended, since the last one that did.
    Stored as JSON in `<prefix>:{p}:retries`, so that people can read it there.
    """

    failures: int = 0
    next_at: int = 0
    first_failed_at: int = 0
    error: str = ""
    begun: int = 0

    @property
    def suspect(self) -> bool:
        """Whether an attempt that was recorded when it began has not ended, though nobody makes it any more."""
        return self.begun > 0

    @property
    def poison(self) -> bool:
        """Whether it was under way in so many deaths that it must not be attempted again."""
        return self.begun >= _POISON_AFTER

    def begin(self) -> "Record":
        """Return the record to be kept while a recovered event is attempted."""
        return msgspec.structs.replace(self, begun=self.begun + 1)

    def end(self) -> "Record":
        """Return the record after an attempt that ended, however it did, before that is noted."""
        return msgspec.structs.replace(self, begun=0)

    def postponed(self, next_at: int) -> "Record":
        """Return the same record with another time for the next attempt, after one that ended."""
        return msgspec.structs.replace(self, next_at=next_at, begun=0)


NEVER_FAILED: Final = Record()


class Recovered(NamedTuple):
    """What is known of an event that was pending when it was read; `stored` tells whether Redis has a record of it."""

    record: Record
    stored: bool


def backoff_s(policy: RetryPolicy, failures: int, jitter: float) -> float:
    """Return the seconds to wait after the `failures`-th failure, from 1 on; `jitter` is random, from 0 to 1."""
    doublings = min(failures - 1, _MAX_DOUBLINGS)
    return jitter * min(seconds(policy.max), seconds(policy.base) * 2.0**doublings)


def encode_record(record: Record) -> str:
    """Return the JSON of `record`."""
    return msgspec.json.encode(record).decode()


def recover(data: bytes | None) -> Recovered:
    """Read what is stored under the name of a pending event's record."""
    return Recovered(decode_record(data), stored=data is not None)


def decode_record(data: bytes | str | None) -> Record:
    """Read a stored record. None, or one that cannot be read, counts as never failed: the event is then attempted anew."""
    try:
        return msgspec.json.decode(data, type=Record) if data is not None else NEVER_FAILED
    except msgspec.DecodeError:
        return NEVER_FAILED
