"""How much work may go into requests that are probably forged. Pure."""

from typing import Final

_SHARE: Final = 0.2
"""The share of a core: what is left serves the others, and it is enough to verify some 2,000 forms a second."""
_BURST_S: Final = 0.1
"""Seconds of work that may be done at once, for example for bodies of a megabyte."""


class VerificationBudget:
    """A leaky bucket of processor time, whose state is when it will be empty, in seconds on a monotonic clock."""

    def __init__(self) -> None:
        self._empty_at = 0.0

    def allows(self, now: float) -> bool:
        """Whether more work may be done."""
        return self._empty_at - now < _BURST_S / _SHARE

    def charge(self, spent_s: float, now: float) -> None:
        """Count `spent_s` seconds of work."""
        self._empty_at = max(self._empty_at, now) + spent_s / _SHARE
