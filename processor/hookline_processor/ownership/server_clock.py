"""Whether the clock of a Redis server can be believed when it says that a lease has expired. Pure.

Redis expires a lease by its own clock, the owner trusts it by its monotonic one. If the clock of the server is set forward, or
a failover puts a server with another clock in its place, all leases expire at once while their owners still trust them.

So a processor compares the server's clock with its own monotonic one in every answer. An expired lease is left to its owner
until the server has answered without interruption, with a steady clock, for nearly the length of a lease:

    - every renewal before that is too old to be trusted, as trust lasts for less
    - every renewal since has been expired by a clock that was steady
"""

from math import inf
from typing import Final, NamedTuple

_STEADY_SHARE: Final = 0.95
"""The share of a lease for which the server must have answered with a steady clock. Owners trust a lease for less."""
_TOLERANCE_SHARE: Final = 0.04
"""The share of a lease by which the clocks may differ more or less than before. Twice this, as a step may come just before and
after a new measurement is begun, and the share for which a lease is trusted are less than a whole."""
_STALL_SHARE: Final = 0.5
"""An answer that took longer than this share of a lease does not show what the clock of the server did meanwhile."""


class _Offset(NamedTuple):
    """Bounds of the difference between the server's clock and the monotonic one, in seconds, measured at `at`."""

    low: float
    high: float
    at: float


class ServerClock:
    """What is known of the clock of the server of one partition, where a lease lasts `lease_s` seconds."""

    def __init__(self, lease_s: float) -> None:
        self._lease_s = lease_s
        self._steady_since = inf
        self._offset: _Offset | None = None

    def silent(self) -> None:
        """Note that the server did not answer."""
        self._steady_since = inf

    def answered(self, server_ms: int, sent_at: float, answered_at: float) -> None:
        """Note that the server told its time in an answer to a request; the other times are monotonic, in seconds."""
        now = _Offset(server_ms / 1000 - answered_at, server_ms / 1000 - sent_at, answered_at)
        before = self._offset
        if before is None or self._stepped(before, now) or answered_at - sent_at > self._lease_s * _STALL_SHARE:
            self._steady_since = answered_at
            self._offset = now
        elif answered_at - before.at >= self._lease_s:
            self._offset = now  # clocks drift, and that is no step
        if self._steady_since == inf:
            self._steady_since = answered_at

    def believed(self, now: float) -> bool:
        """Whether a lease that has expired by the server's clock can be taken from its owner at monotonic time `now`."""
        return now - self._steady_since >= self._lease_s * _STEADY_SHARE

    def _stepped(self, before: _Offset, now: _Offset) -> bool:
        tolerance_s = self._lease_s * _TOLERANCE_SHARE
        return now.low > before.high + tolerance_s or now.high < before.low - tolerance_s
