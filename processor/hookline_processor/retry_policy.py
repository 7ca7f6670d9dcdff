"""The retry policy of a handler: how often a failed event is attempted, and after which delays. Pure.

Exponential backoff with full jitter: the delay is uniformly random between 0 and a bound that doubles with every failure.
Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
"""

import math
from datetime import timedelta
from typing import Final

import msgspec

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
    """How often a failed event is attempted, and after which delays: exponential backoff with full jitter.

    - `max_attempts`: an integer of at least 1, the number of failed attempts after which the event becomes a dead letter.
    - `base`: seconds or a timedelta, the upper bound of the first delay. It doubles with every failure.
    - `max`: seconds or a timedelta, the upper bound of every delay.
    - `give_up_on`: a tuple of exception classes that make the event a dead letter at once.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.

    Raises:
        ValueError: if `max_attempts` is below 1, a delay is not above 0, or `give_up_on` is not a tuple of exception classes.

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


def _is_exception_class(given: object) -> bool:
    return isinstance(given, type) and issubclass(given, Exception)


def backoff_s(policy: RetryPolicy, failures: int, jitter: float) -> float:
    """Return the delay in seconds after failure number `failures`, counted from 1. `jitter` is random, from 0 to 1."""
    doublings = min(failures - 1, _MAX_DOUBLINGS)
    return jitter * min(seconds(policy.max), seconds(policy.base) * 2.0**doublings)
