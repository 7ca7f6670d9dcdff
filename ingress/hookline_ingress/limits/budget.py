"""How much work may go into requests that are probably forged: processor time, and calls. Pure."""

from typing import Final

_BURST_S: Final = 0.1
"""Seconds of work that may be done at once, for example for bodies of a megabyte."""


class CallBudget:
    """A leaky bucket of calls: `burst` at once, and `per_second` in the long run."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._empty_at = 0.0

    def take(self, now: float) -> bool:
        """Count a call; return False, and count none, if there are too many."""
        empty_at = max(self._empty_at, now) + 1 / self._per_second
        if (empty_at - now) * self._per_second > self._burst:
            return False
        self._empty_at = empty_at
        return True


class VerificationBudget:
    """A leaky bucket of processor time, whose state is when it will be empty, in seconds on a monotonic clock.

    `share` is the part of a core that may be used in the long run.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._empty_at = 0.0

    def allows(self, now: float) -> bool:
        """Whether more work may be done."""
        return self._empty_at - now < _BURST_S / self._share

    def charge(self, spent_s: float, now: float) -> None:
        """Count `spent_s` seconds of work."""
        self._empty_at = max(self._empty_at, now) + spent_s / self._share
