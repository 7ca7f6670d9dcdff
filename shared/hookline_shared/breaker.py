"""A circuit breaker: after some failures in a row it fails calls at once, until a probe succeeds.

    closed ── failures in a row ──> open ── the probe is due ──> half-open ── it succeeds ──> closed
                                      ^───────────────────────────── it fails ──┘

aiobreaker does the counting and keeps the states. This module changes three things. aiobreaker lets every call through while
half-open; here only a probe gets through, which a recovery task makes, never traffic. It mixes UTC with local time; here the
time of the next probe comes from our own clock. It counts excluded errors as successes; here they count as nothing, like a
cancellation.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import TracebackType
from typing import Final

from aiobreaker import CircuitBreaker, CircuitBreakerError, CircuitBreakerListener, CircuitBreakerState
from aiobreaker.state import CircuitBreakerBaseState

from hookline_shared.clock import Clock, utc
from hookline_shared.errors import HooklineError
from hookline_shared.observability.logs import Logger
from hookline_shared.observability.metrics import BREAKER_STATE, BREAKER_TRANSITIONS

_FIRST_DELAY_S: Final = 0.5
_LONGEST_DELAY_S: Final = 2.0


OPEN_REASONS: Final[dict[str, str]] = {}
"""Why each breaker that is not closed has opened, by its name: the latest error. Alerts quote it."""


class State(IntEnum):
    """The values are those of the gauge."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


_STATES: Final = {
    CircuitBreakerState.CLOSED: State.CLOSED,
    CircuitBreakerState.HALF_OPEN: State.HALF_OPEN,
    CircuitBreakerState.OPEN: State.OPEN,
}


class BreakerOpenError(HooklineError):
    """The destination has been failing, so it is not called until a probe succeeds."""

    def __init__(self, name: str, reason: str, next_probe: str) -> None:
        super().__init__(
            f"{name} has been failing, so it is not called until a probe succeeds; the next probe is due {next_probe}. {reason}"
        )


class Breaker:
    """Guards one destination, `name`, which is a label of metrics. Opens after `fail_max` failures in a row.

    `counts` returns whether an error is a failure; by default all are. `jitter` returns random numbers from 0 to 1.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        logger: Logger,
        *,
        fail_max: int = 5,
        counts: Callable[[Exception], bool] = lambda _error: True,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._name = name
        self._clock = clock
        self._logger = logger
        self._counts = counts
        self._jitter = jitter
        self._circuit = _Circuit(fail_max=fail_max, listeners=[_Listener(self._changed)], name=name)
        self._state = State.CLOSED
        self._changes = 0
        self._failed_probes = 0
        self._next_probe_at = 0.0  # monotonic, since the machine's clock may be changed
        self._next_probe = ""
        self._reason = ""
        self._gauge = BREAKER_STATE.labels(name)
        self._gauge.set(State.CLOSED)

    @property
    def state(self) -> State:
        """The present state."""
        return self._state

    def seconds_to_probe(self) -> float:
        """Return the seconds until the next probe is due; 0 while the breaker is closed."""
        if self._state is State.CLOSED:
            return 0.0
        return max(0.0, self._next_probe_at - self._clock.monotonic())

    def guard(self) -> "_Call":
        """Let the call inside the `with` block through while closed, and record its outcome.

        Raises:
            BreakerOpenError: at once, while open or half-open.

        """
        if self._state is not State.CLOSED:
            raise BreakerOpenError(self._name, self._reason, self._next_probe)
        return _Call(self)

    @contextmanager
    def probe(self) -> Iterator[None]:
        """Let the probe inside the `with` block through in any state. Only a recovery task may use this."""
        if self._state is State.OPEN:
            self._circuit.half_open()
        try:
            with _Call(self):
                yield
        finally:
            if self._state is State.HALF_OPEN:  # cancelled, or failed in a way that does not count
                self._circuit.open()

    def close(self) -> None:
        """Remove the metrics of a breaker that is no longer used. Its name may be an address, and addresses change."""
        OPEN_REASONS.pop(self._name, None)
        BREAKER_STATE.remove(self._name)
        for state in State:
            BREAKER_TRANSITIONS.remove(self._name, state.name.lower())

    def _record(self, changes: int, error: BaseException | None) -> None:
        """Record the outcome of a call that began after so many `changes`; one that began before the last is outdated."""
        if changes != self._changes:
            return
        if error is None:
            if self._circuit.fail_counter or self._state is not State.CLOSED:
                self._report(None)
        elif isinstance(error, Exception) and self._counts(error):
            self._reason = str(error)
            self._report(error)

    def _report(self, error: Exception | None) -> None:
        try:
            self._circuit.call(_outcome, error)
        except CircuitBreakerError:
            pass  # it opened
        except Exception as raised:
            if raised is not error:
                raise

    def _changed(self, state: State) -> None:
        previous, self._state = self._state, state
        if state is previous:
            return
        self._changes += 1
        self._gauge.set(state)
        if state is State.OPEN:
            OPEN_REASONS[self._name] = self._reason
        elif state is State.CLOSED:
            OPEN_REASONS.pop(self._name, None)
        BREAKER_TRANSITIONS.labels(self._name, state.name.lower()).inc()
        if state is State.OPEN:
            self._schedule_probe(first=previous is State.CLOSED)
        self._log(previous, state)

    def _schedule_probe(self, *, first: bool) -> None:
        self._failed_probes = 0 if first else self._failed_probes + 1
        delay = probe_delay(self._failed_probes, self._jitter())
        self._next_probe_at = self._clock.monotonic() + delay
        self._next_probe = utc(self._clock.now_ms() + round(delay * 1000))

    def _log(self, previous: State, state: State) -> None:
        fields = {"breaker": self._name, "state": state.name.lower(), "was": previous.name.lower()}
        if state is State.OPEN:
            log = self._logger.warning if previous is State.CLOSED else self._logger.debug
            log("breaker changed", **fields, reason=self._reason, next_probe=self._next_probe)
        elif state is State.CLOSED:
            self._logger.info("breaker changed", **fields, reason="the probe succeeded")
        else:
            self._logger.debug("breaker changed", **fields, reason="the probe is due")


def probe_delay(failed_probes: int, jitter: float) -> float:
    """Seconds until the next probe: doubling from 0.5 to 2, less up to a half at random (`jitter`, 0 to 1).

    Two seconds at most, so that a failover which lasted long is noticed as fast as a short one.
    """
    delay = min(_FIRST_DELAY_S * 2.0 ** min(failed_probes, 16), _LONGEST_DELAY_S)
    return delay * (1 - jitter / 2)


class _Call:
    """The `with` block around a call. A class, since a generator takes four times as long."""

    __slots__ = ("_breaker", "_changes")

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker
        self._changes = breaker._changes

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._breaker._record(self._changes, error)


class _Circuit(CircuitBreaker):  # type: ignore[misc]
    """aiobreaker's breaker, without its clock: `open` there calls what Python 3.12 deprecates, and `opens_at` local time."""

    opens_at = None

    def open(self) -> None:
        self.state = self._state_storage.state = CircuitBreakerState.OPEN


class _Listener(CircuitBreakerListener):  # type: ignore[misc]
    def __init__(self, changed: Callable[[State], None]) -> None:
        self._changed = changed

    def state_change(self, _breaker: CircuitBreaker, _old: CircuitBreakerBaseState, new: CircuitBreakerBaseState) -> None:
        self._changed(_STATES[new.state])


def _outcome(error: Exception | None) -> None:
    if error is not None:
        raise error
