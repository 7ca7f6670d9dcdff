"""The accounts that send, and for each whether Twilio can be asked now. No I/O. It is the gate of the conditions `account:…`.

    open       messages are sent; failures in a row, a 429, or refused credentials close it
    closed     messages wait in Redis, under the condition `account:<account>`
    half-open  after the time for which it is closed, one message is tried; if that works, the account is open

An account without credentials is closed for as long as the process runs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final

from hookline_processor.sender.outcomes import NotSent, Outcome, Trouble, Unknown
from hookline_shared.catalogue.kinds import MESSAGE_SEND
from hookline_shared.clock import Clock
from hookline_shared.event import Event
from hookline_shared.observability.logs import Logger

NO_CREDENTIALS: Final = "there are no credentials: set TWILIO_ACCOUNT_SID, TWILIO_API_KEY and TWILIO_API_SECRET"
_FAILURES: Final = 5
_CREDENTIALS_S: Final = 30.0
_LIMITED_S: Final = 1.0
_FIRST_S: Final = 0.5
_LONGEST_S: Final = 15.0
_PROBE_S: Final = 15.0
"""How long a message that was let through prevents the next one: it may never come back."""


@dataclass(slots=True)
class _Account:
    """The state of one account. `until` is in monotonic seconds; `closures` counts them since it was open."""

    failures: int = 0
    closures: int = 0
    until: float = 0
    reason: str = ""
    credentials: bool = False


class Accounts:
    """All accounts that send. `has_credentials` returns whether there are any for an account."""

    def __init__(self, has_credentials: Callable[[str], bool], clock: Clock, logger: Logger) -> None:
        self._has_credentials = has_credentials
        self._clock = clock
        self._logger = logger
        self._closed: dict[str, _Account] = {}
        self._accounts: dict[str, _Account] = {}
        self._listeners: dict[object, Callable[[], None]] = {}

    def closed_for(self, event: Event) -> str | None:
        """Return the account that keeps an event from being attempted, or None."""
        if event.kind != MESSAGE_SEND:
            return None
        if not self._has_credentials(event.account):
            self._note_missing(event.account)
            return event.account
        return event.account if event.account in self._closed and not self._let_through(event.account) else None

    def problems(self) -> dict[str, str]:
        """Return why each account is closed that somebody has to open: its credentials are missing or refused."""
        return {name: one.reason for name, one in self._closed.items() if one.credentials}

    def report(self, account: str, outcome: Outcome) -> None:
        """Note the outcome of a request for `account`."""
        state = self._accounts.setdefault(account, _Account())
        match outcome:
            case NotSent(Trouble.LIMITED, reason, retry_after_s):
                self._close(account, state, max(_LIMITED_S, retry_after_s), reason)
            case NotSent(Trouble.CREDENTIALS, reason):
                self._close(account, state, _CREDENTIALS_S, reason, credentials=True)
            case NotSent(Trouble.UNREACHABLE, reason) | Unknown(reason):
                state.failures += 1
                if state.failures >= _FAILURES or account in self._closed:
                    self._close(account, state, min(_LONGEST_S, _FIRST_S * 2.0 ** min(state.closures, 10)), reason)
            case _:
                self._open(account, state)

    def give_back(self, account: str) -> None:
        """Note that a message of `account` was let through, and asked nothing."""
        if (state := self._closed.get(account)) is not None and not state.credentials:
            state.until = min(state.until, self._clock.monotonic())

    def seconds_closed(self, account: str) -> float:
        """Return how long `account` is closed, 0 if it is open."""
        state = self._closed.get(account)
        return 0 if state is None else max(0.0, state.until - self._clock.monotonic())

    def claim(self, name: str) -> float:
        """Return how many lanes may be resumed that wait for the account `name`: none, one as the probe, or all."""
        if not self._has_credentials(name):
            return 0
        state = self._closed.get(name)
        return inf if state is None else float(self._clock.monotonic() >= state.until)

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` when an account opens, or may be probed; return a function that ends this."""
        registration = object()
        self._listeners[registration] = listener
        return lambda: self._listeners.pop(registration, None) and None

    def _let_through(self, account: str) -> bool:
        """Whether a message may be attempted although `account` is closed, as the probe."""
        state, now = self._closed[account], self._clock.monotonic()
        if now < state.until:
            return False
        state.until = now + _PROBE_S
        return True

    def _note_missing(self, account: str) -> None:
        if account not in self._closed:
            self._closed[account] = _Account(until=inf, reason=NO_CREDENTIALS, credentials=True)
            self._logger.warning("messages wait", account=account, reason=NO_CREDENTIALS)

    def _close(self, account: str, state: _Account, seconds: float, reason: str, *, credentials: bool = False) -> None:
        if account not in self._closed or state.reason != reason:
            self._logger.warning("messages wait", account=account, reason=reason)
        state.until, state.reason, state.credentials = self._clock.monotonic() + seconds, reason, credentials
        state.closures += 1
        self._closed[account] = state
        self._clock.call_later(seconds, self._notify)

    def _open(self, account: str, state: _Account) -> None:
        state.failures = state.closures = 0
        if self._closed.pop(account, None) is not None:
            self._logger.info("messages are sent again", account=account)
            self._notify()

    def _notify(self) -> None:
        for listener in list(self._listeners.values()):
            listener()
