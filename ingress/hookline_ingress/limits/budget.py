"""How much work may go into requests that are probably forged. Pure."""

from typing import Final

_BURST_S: Final = 0.1
"""Seconds of work that may be done at once, for example for bodies of a megabyte."""


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
