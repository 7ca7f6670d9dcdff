"""Refused requests: why one is, and whether webhooks are, since a service that refuses some of them may still be ready."""

from collections.abc import Callable, Sequence
from typing import Final

from hookline_shared.clock import Clock, utc
from hookline_shared.observability.logs import Logger

_WARN_INTERVAL_S: Final = 60.0
_REUSED: Final = "someone has a genuine webhook and changes it: find out where they got it, and rotate the token if in doubt"
_RECENT_S: Final = 60.0
"""Seconds without a refusal after which webhooks count as accepted again."""


class Refusal(Exception):
    """A request that is not accepted. `status` is the HTTP status, `outcome` the reason for the metrics."""

    def __init__(self, status: int, outcome: str) -> None:
        super().__init__(outcome)
        self.status = status
        self.outcome = outcome


class TokenMissing(Exception):
    """No known token verifies a request; a provider has to be asked for those of `accounts`."""

    def __init__(self, accounts: Sequence[str]) -> None:
        super().__init__(f"{len(accounts)} accounts")
        self.accounts = accounts


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


class RefusalWarnings:
    """Logs that requests are refused, each cause at most once a minute. `public_urls` are those that Twilio should call."""

    def __init__(self, public_urls: Sequence[str], clock: Clock, logger: Logger) -> None:
        self._public_urls = public_urls
        self._clock = clock
        self._logger = logger
        self._quiet_until = 0.0
        self._quiet_of_reuse_until = 0.0

    def warn_of_reuse(self, path: str) -> None:
        """Log that a signature was used for another event."""
        now = self._clock.monotonic()
        if now >= self._quiet_of_reuse_until:
            self._quiet_of_reuse_until = now + _WARN_INTERVAL_S
            self._logger.warning("request refused: its signature was used for another event", path=path, remedy=_REUSED)

    def warn_of_signature(self, path: str, find_cause: Callable[[], str | None] | None = None) -> None:
        """Log that requests are refused, as happens with a wrong PUBLIC_URL or token, and why.

        `find_cause` returns the likely cause for a request that is signed; it is None for one that is not.
        """
        now = self._clock.monotonic()
        if now < self._quiet_until:
            return
        self._quiet_until = now + _WARN_INTERVAL_S
        cause = find_cause() if find_cause else None
        self._logger.warning(
            "request refused: its signature is missing or wrong",
            path=path,
            signed=find_cause is not None,
            tried=self._public_urls,
            **({"cause": cause} if cause else {}),
            remedy="if Twilio sent it: set PUBLIC_URL to the URL that Twilio calls, without /twilio, and TWILIO_AUTH_TOKEN "
            "to the token of that account",
        )
