"""A breaker for each destination that handlers name: while it is open, the events of its handlers wait without attempts.

    closed     events are attempted; consecutive failures of different events open the breaker
    open       events wait in Redis, under the condition `breaker:<destination>`
    half-open  one event is attempted as the probe; a failed probe does not count as an attempt, and another event is next

An event that fails repeatedly says more about itself than about the destination, so it does not open the breaker.
"""

from collections.abc import Awaitable, Callable
from math import inf
from typing import Final

from hookline_processor.in_flight import InFlightEvent
from hookline_processor.verdicts import Dead, Done, Reason, Retry, Verdict
from hookline_shared.breaker import Breaker, State
from hookline_shared.clock import Cancellable, Clock
from hookline_shared.observability.logs import Logger

_PROBE_TIMEOUT_S: Final = 10.0
"""How long a probe prevents the next one: a plain function without a time-out may never end."""
_NEXT_PROBE_S: Final = 0.5
"""When to resume another lane, if the one that was resumed for the probe does not come."""

RunAttempt = Callable[[InFlightEvent], Awaitable[Verdict]]


class _FailedError(Exception):
    """The attempt failed. The text names the error, without any content of the event."""


class _InconclusiveError(Exception):
    """The outcome of the attempt says nothing about the destination."""


class Destinations:
    """All destinations by name. `failures` consecutive failures open a breaker. The gate of the conditions `breaker:…`."""

    def __init__(self, failures: int, clock: Clock, logger: Logger) -> None:
        self._failures = failures
        self._clock = clock
        self._logger = logger
        self._by_name: dict[str, _Destination] = {}
        self._listeners: dict[object, Callable[[], None]] = {}

    async def attempt(self, name: str, in_flight: InFlightEvent, run_attempt: RunAttempt) -> Verdict | None:
        """Attempt an event, if the breaker of destination `name` allows it.

        Return None if it was not attempted, or was a probe that failed. Then it waits for the condition of the destination.
        """
        destination = self._by_name.get(name)
        if destination is None:
            breaker = Breaker(name, self._clock, self._logger, fail_max=self._failures, counts=_is_failure)
            destination = self._by_name[name] = _Destination(breaker, self._notify, self._clock)
        return await destination.attempt(in_flight, run_attempt)

    def claim(self, name: str) -> float:
        """Return how many waiting lanes may be resumed: all, one for the probe if it is due, or none."""
        destination = self._by_name.get(name)
        return inf if destination is None else destination.claim()

    def pass_over(self, name: str | None) -> None:
        """Note that a lane that was resumed has no event to attempt after all; if that was to be the probe, another one is.

        `name` is the destination of its event, if there is one.
        """
        if name is not None and (destination := self._by_name.get(name)) is not None:
            destination.pass_over()

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` when a probe is due, or a breaker closes; return a function that ends this."""
        registration = object()
        self._listeners[registration] = listener
        return lambda: self._listeners.pop(registration, None) and None

    def _notify(self) -> None:
        for listener in list(self._listeners.values()):
            listener()


class _Destination:
    def __init__(self, breaker: Breaker, notify: Callable[[], None], clock: Clock) -> None:
        self._breaker = breaker
        self._notify = notify
        self._clock = clock
        self._probe_expires_at = -inf
        self._claimed_until = -inf
        self._timer: Cancellable | None = None
        self._last_failed = ""

    async def attempt(self, in_flight: InFlightEvent, run_attempt: RunAttempt) -> Verdict | None:
        if self._breaker.state is State.CLOSED:
            verdict = await self._attempt_guarded(in_flight, run_attempt)
        elif self._seconds_to_probe() > 0:
            verdict = None
        else:
            verdict = await self._attempt_as_probe(in_flight, run_attempt)
        if self._breaker.state is not State.CLOSED:
            self._announce(self._seconds_to_probe())
        return verdict

    def claim(self) -> float:
        if self._breaker.state is State.CLOSED:
            return inf
        now = self._clock.monotonic()
        if self._seconds_to_probe() > 0 or now < self._claimed_until:
            return 0
        self._claimed_until = now + _NEXT_PROBE_S
        self._announce(_NEXT_PROBE_S)
        return 1

    def pass_over(self) -> None:
        if self._claimed_until > self._clock.monotonic():
            self._claimed_until = -inf
            self._notify()

    def _seconds_to_probe(self) -> float:
        return max(self._breaker.seconds_to_probe(), self._probe_expires_at - self._clock.monotonic())

    async def _attempt_guarded(self, in_flight: InFlightEvent, run_attempt: RunAttempt) -> Verdict | None:
        verdict = None
        try:
            with self._breaker.guard():
                verdict = await run_attempt(in_flight)
                self._report_to_breaker(in_flight.entry_id, verdict)
        except (_FailedError, _InconclusiveError):
            pass
        return verdict

    async def _attempt_as_probe(self, in_flight: InFlightEvent, run_attempt: RunAttempt) -> Verdict | None:
        self._probe_expires_at = expires_at = self._clock.monotonic() + _PROBE_TIMEOUT_S
        try:
            return await self._probe(in_flight, run_attempt)
        finally:
            if self._probe_expires_at == expires_at:  # otherwise it took so long that another probe has begun
                self._probe_expires_at = self._claimed_until = -inf
            if self._breaker.state is State.CLOSED:
                self._notify()

    async def _probe(self, in_flight: InFlightEvent, run_attempt: RunAttempt) -> Verdict | None:
        verdict = None
        try:
            with self._breaker.probe():
                verdict = await run_attempt(in_flight)
                self._last_failed = ""
                self._report_to_breaker(in_flight.entry_id, verdict)
        except _FailedError:
            return None
        except _InconclusiveError:
            pass
        return verdict

    def _report_to_breaker(self, entry_id: str, verdict: Verdict) -> None:
        """Raise what the breaker should learn from the attempt; return if it succeeded."""
        match verdict:
            case Done():
                self._last_failed = ""
            case Retry(failure=None) | Dead(reason=Reason.REJECTED | Reason.UNHANDLED | Reason.UNFIT):
                raise _InconclusiveError
            case Retry(failure=failure) | Dead(failure=failure):
                again, self._last_failed = entry_id == self._last_failed, entry_id
                raise _InconclusiveError if again or failure is None else _FailedError(f"The last error: {failure.type}.")

    def _announce(self, seconds: float) -> None:
        """Notify the listeners in `seconds`, unless they are notified before."""
        if self._timer is None:
            self._timer = self._clock.call_later(seconds, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if (seconds := self._seconds_to_probe()) > 0 and self._breaker.state is not State.CLOSED:
            self._announce(seconds)
        else:
            self._notify()


def _is_failure(error: Exception) -> bool:
    return isinstance(error, _FailedError)
