"""Whether webhooks are being refused, and why: a service that refuses some of them may still be ready."""

from typing import Final

from hookline_shared.clock import Clock, utc

_RECENT_S: Final = 60.0
"""Seconds without a refusal after which webhooks count as accepted again."""


class Refusals:
    """Webhooks that got a 503 because their events could not be stored, or because there were too many at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._number = 0
        self._since_ms = 0
        self._latest_s = 0.0
        self._reason = ""

    def note(self, reason: str) -> None:
        """Count a webhook that is refused now because of `reason`, a sentence."""
        now_s = self._clock.monotonic()
        if not self._number or now_s - self._latest_s >= _RECENT_S:
            self._number, self._since_ms = 0, self._clock.now_ms()
        self._number += 1
        self._latest_s, self._reason = now_s, reason

    def warnings(self) -> list[str]:
        """Return a warning while webhooks are refused."""
        ago_s = self._clock.monotonic() - self._latest_s
        if not self._number or ago_s >= _RECENT_S:
            return []
        since = utc(self._since_ms, "seconds")
        return [f"Webhooks are refused with a 503: {self._number} since {since}, the latest {ago_s:.0f} s ago: {self._reason}"]
