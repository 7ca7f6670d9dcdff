"""What handlers talk to, each behind a breaker: while it is open, the events of its handlers wait, un-attempted.

    closed     events are attempted; failures in a row, of different events, open it
    open       events wait
    half-open  one of them is attempted as the probe; if it fails, that does not count as an attempt, and another one is next

One event that fails again and again says something about itself rather than about the destination, so it opens nothing.
"""

from collections.abc import Awaitable, Callable
from math import inf
from typing import Final

from hookline_processor.partition.lanes import Lane
from hookline_processor.verdicts import Dead, Done, Reason, Retry, Verdict
from hookline_shared.breaker import Breaker, State
from hookline_shared.clock import Cancellable, Clock
from hookline_shared.observability.logs import Logger

_LONGEST_PROBE_S: Final = 10.0
"""How long one probe keeps others from being made: a plain function without a time-out may never end."""
_SOON_S: Final = 0.5
"""When to call the next one, should the one that was called for the probe not come."""

ComeAgain = Callable[[Lane], None]
Make = Callable[[], Awaitable[Verdict]]


class _FailedError(Exception):
    """The attempt failed; the text says how, without any of the event."""


class _NothingLearntError(Exception):
    """How the attempt ended says nothing about the destination."""


class Destinations:
    """All destinations, by the names that handlers give. `failures` in a row open a breaker."""

    def __init__(self, failures: int, clock: Clock, logger: Logger) -> None:
        self._failures = failures
        self._clock = clock
        self._logger = logger
        self._by_name: dict[str, _Destination] = {}

    async def attempt(self, name: str, lane: Lane, make: Make, come_again: ComeAgain) -> Verdict | None:
        """Attempt the first event of `lane` with `make`, if destination `name` is not being left alone.

        Gives None if it was not attempted, or it was a probe that failed; `come_again(lane)` is called when it may be.
        """
        destination = self._by_name.get(name)
        if destination is None:
            breaker = Breaker(name, self._clock, self._logger, fail_max=self._failures, counts=_is_failure)
            destination = self._by_name[name] = _Destination(breaker, self._clock)
        return await destination.attempt(lane, make, come_again)

    def forget(self, lane: Lane) -> None:
        """Call `lane` no more."""
        for destination in self._by_name.values():
            destination.forget(lane)


class _Destination:
    def __init__(self, breaker: Breaker, clock: Clock) -> None:
        self._breaker = breaker
        self._clock = clock
        self._waiting: dict[Lane, ComeAgain] = {}
        self._probe_ends_at = -inf
        self._timer: Cancellable | None = None
        self._rings_at = inf
        self._last_failed = ""

    def forget(self, lane: Lane) -> None:
        self._waiting.pop(lane, None)

    async def attempt(self, lane: Lane, make: Make, come_again: ComeAgain) -> Verdict | None:
        if self._breaker.state is State.CLOSED:
            return await self._go_through(lane, make)
        if self._seconds_to_probe() > 0:
            self._wait(lane, come_again)
            return None
        self._probe_ends_at = own = self._clock.monotonic() + _LONGEST_PROBE_S
        try:
            return await self._probe(lane, make, come_again)
        finally:
            if self._probe_ends_at == own:  # else it took so long that there is another one
                self._probe_ends_at = -inf
            self._call_next()

    def _seconds_to_probe(self) -> float:
        return max(self._breaker.seconds_to_probe(), self._probe_ends_at - self._clock.monotonic())

    async def _go_through(self, lane: Lane, make: Make) -> Verdict | None:
        verdict = None
        try:
            with self._breaker.guard():
                verdict = await make()
                self._learn(lane.events[0].entry_id, verdict)
        except (_FailedError, _NothingLearntError):
            pass
        return verdict

    async def _probe(self, lane: Lane, make: Make, come_again: ComeAgain) -> Verdict | None:
        verdict = None
        try:
            with self._breaker.probe():
                verdict = await make()
                self._last_failed = ""
                self._learn(lane.events[0].entry_id, verdict)
        except _FailedError:
            self._wait(lane, come_again)
            return None
        except _NothingLearntError:
            pass
        return verdict

    def _learn(self, entry_id: str, verdict: Verdict) -> None:
        """Tell the breaker, by what it raises, what the attempt says about the destination."""
        match verdict:
            case Done():
                self._last_failed = ""
            case Retry(failure=None) | Dead(reason=Reason.REJECTED | Reason.UNHANDLED):
                raise _NothingLearntError
            case Retry(failure=failure) | Dead(failure=failure):
                again, self._last_failed = entry_id == self._last_failed, entry_id
                raise _NothingLearntError if again or failure is None else _FailedError(f"The last error: {failure.type}.")

    def _wait(self, lane: Lane, come_again: ComeAgain) -> None:
        self._waiting[lane] = come_again
        self._set_timer(self._seconds_to_probe())

    def _call_next(self) -> None:
        """Call all that wait if the breaker has closed, else one when the next probe is due."""
        if self._breaker.state is State.CLOSED:
            waiting, self._waiting = self._waiting, {}
            for lane, come_again in waiting.items():
                come_again(lane)
        elif self._waiting:
            self._set_timer(self._seconds_to_probe())

    def _set_timer(self, seconds: float) -> None:
        at = self._clock.monotonic() + seconds
        if self._timer is not None:
            if self._rings_at <= at:
                return
            self._timer.cancel()
        self._rings_at = at
        self._timer = self._clock.call_later(seconds, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        if (seconds := self._seconds_to_probe()) > 0:
            self._set_timer(seconds)
            return
        lane = next(iter(self._waiting))
        come_again = self._waiting.pop(lane)
        self._set_timer(_SOON_S)
        come_again(lane)


def _is_failure(error: Exception) -> bool:
    return isinstance(error, _FailedError)
