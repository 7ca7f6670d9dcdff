"""A breaker for each destination that handlers name: while it is open, the events of its handlers wait without attempts.

    closed     events are attempted; consecutive failures of different events open the breaker
    open       events wait
    half-open  one event is attempted as the probe; a failed probe does not count as an attempt, and another event is next

An event that fails repeatedly says more about itself than about the destination, so it does not open the breaker.
"""

from collections.abc import Awaitable, Callable
from math import inf
from typing import Final

from hookline_processor.partition.lanes import Lane
from hookline_processor.verdicts import Dead, Done, Reason, Retry, Verdict
from hookline_shared.breaker import Breaker, State
from hookline_shared.clock import Cancellable, Clock
from hookline_shared.observability.logs import Logger

_PROBE_TIMEOUT_S: Final = 10.0
"""How long a probe prevents the next one: a plain function without a time-out may never end."""
_NEXT_PROBE_S: Final = 0.5
"""When to resume another lane, if the one that was resumed for the probe does not come."""

Resume = Callable[[Lane], None]
RunAttempt = Callable[[], Awaitable[Verdict]]


class _FailedError(Exception):
    """The attempt failed. The text names the error, without any content of the event."""


class _InconclusiveError(Exception):
    """The outcome of the attempt says nothing about the destination."""


class Destinations:
    """All destinations by name. `failures` consecutive failures open a breaker."""

    def __init__(self, failures: int, clock: Clock, logger: Logger) -> None:
        self._failures = failures
        self._clock = clock
        self._logger = logger
        self._by_name: dict[str, _Destination] = {}

    async def attempt(self, name: str, lane: Lane, run_attempt: RunAttempt, resume: Resume) -> Verdict | None:
        """Attempt the first event of `lane` with `run_attempt`, if the breaker of destination `name` allows it.

        Return None if it was not attempted, or was a probe that failed. In that case `resume(lane)` is called when it may be
        attempted again.
        """
        destination = self._by_name.get(name)
        if destination is None:
            breaker = Breaker(name, self._clock, self._logger, fail_max=self._failures, counts=_is_failure)
            destination = self._by_name[name] = _Destination(breaker, self._clock)
        return await destination.attempt(lane, run_attempt, resume)

    def forget(self, lane: Lane) -> None:
        """Remove `lane` from all queues of waiting lanes."""
        for destination in self._by_name.values():
            destination.forget(lane)


class _Destination:
    def __init__(self, breaker: Breaker, clock: Clock) -> None:
        self._breaker = breaker
        self._clock = clock
        self._waiting: dict[Lane, Resume] = {}
        self._probe_expires_at = -inf
        self._timer: Cancellable | None = None
        self._timer_due_at = inf
        self._last_failed = ""

    def forget(self, lane: Lane) -> None:
        self._waiting.pop(lane, None)

    async def attempt(self, lane: Lane, run_attempt: RunAttempt, resume: Resume) -> Verdict | None:
        if self._breaker.state is State.CLOSED:
            return await self._attempt_guarded(lane, run_attempt)
        if self._seconds_to_probe() > 0:
            self._add_waiting(lane, resume)
            return None
        self._probe_expires_at = expires_at = self._clock.monotonic() + _PROBE_TIMEOUT_S
        try:
            return await self._probe(lane, run_attempt, resume)
        finally:
            if self._probe_expires_at == expires_at:  # otherwise it took so long that another probe has begun
                self._probe_expires_at = -inf
            self._resume_waiting()

    def _seconds_to_probe(self) -> float:
        return max(self._breaker.seconds_to_probe(), self._probe_expires_at - self._clock.monotonic())

    async def _attempt_guarded(self, lane: Lane, run_attempt: RunAttempt) -> Verdict | None:
        verdict = None
        try:
            with self._breaker.guard():
                verdict = await run_attempt()
                self._report_to_breaker(lane.events[0].entry_id, verdict)
        except (_FailedError, _InconclusiveError):
            pass
        return verdict

    async def _probe(self, lane: Lane, run_attempt: RunAttempt, resume: Resume) -> Verdict | None:
        verdict = None
        try:
            with self._breaker.probe():
                verdict = await run_attempt()
                self._last_failed = ""
                self._report_to_breaker(lane.events[0].entry_id, verdict)
        except _FailedError:
            self._add_waiting(lane, resume)
            return None
        except _InconclusiveError:
            pass
        return verdict

    def _report_to_breaker(self, entry_id: str, verdict: Verdict) -> None:
        """Raise what the breaker should learn from the attempt; return if it succeeded."""
        match verdict:
            case Done():
                self._last_failed = ""
            case Retry(failure=None) | Dead(reason=Reason.REJECTED | Reason.UNHANDLED):
                raise _InconclusiveError
            case Retry(failure=failure) | Dead(failure=failure):
                again, self._last_failed = entry_id == self._last_failed, entry_id
                raise _InconclusiveError if again or failure is None else _FailedError(f"The last error: {failure.type}.")

    def _add_waiting(self, lane: Lane, resume: Resume) -> None:
        self._waiting[lane] = resume
        self._set_timer(self._seconds_to_probe())

    def _resume_waiting(self) -> None:
        """Resume all waiting lanes if the breaker is closed, or one lane when the next probe is due."""
        if self._breaker.state is State.CLOSED:
            waiting, self._waiting = self._waiting, {}
            for lane, resume in waiting.items():
                resume(lane)
        elif self._waiting:
            self._set_timer(self._seconds_to_probe())

    def _set_timer(self, seconds: float) -> None:
        at = self._clock.monotonic() + seconds
        if self._timer is not None:
            if self._timer_due_at <= at:
                return
            self._timer.cancel()
        self._timer_due_at = at
        self._timer = self._clock.call_later(seconds, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        if (seconds := self._seconds_to_probe()) > 0:
            self._set_timer(seconds)
            return
        lane = next(iter(self._waiting))
        resume = self._waiting.pop(lane)
        self._set_timer(_NEXT_PROBE_S)
        resume(lane)


def _is_failure(error: Exception) -> bool:
    return isinstance(error, _FailedError)
