"""Bursts: several events of one lane that are handled as one, because they came shortly after one another.

A lane whose first event has a handler with `burst_s` goes through these states. Each begins when the lane gets a worker slot,
so the decision is made again with what is in memory then:

    loading     its next events are in the waiting index, and are being loaded; for a second at most
    quiet       it waits in Redis, with all its events, until `burst_s` after the last one, or `burst_limit_s` after the first
    gathered    the leading run of its events is attempted as one: same kind and account, 8 at most

While it waits in Redis, nothing of it is in memory: a crash does not make its events suspects. Events that were in memory when
a process died run alone, since one of them may be the cause. A burst that failed is attempted again with the same events.
"""

from collections.abc import Callable, Iterable
from itertools import islice, takewhile
from typing import Final, NamedTuple

import msgspec

from hookline_processor.api.table import BurstPolicy
from hookline_processor.attempts.attempts import Attempts
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.partition.lanes import MAX_LOADED, Lane, Lanes
from hookline_processor.verdicts import Retry
from hookline_shared.clock import Clock

_LOADING_S: Final = 1.0


class Gathered(NamedTuple):
    """What is known of a burst: its events in memory, how many it may have, and whether the next one belongs to another."""

    events: list[InFlightEvent]
    most: int
    ended: bool

    @property
    def complete(self) -> bool:
        """Whether no event can join it any more."""
        return self.ended or len(self.events) >= self.most


def gathered(events: Iterable[InFlightEvent]) -> Gathered:
    """Return the burst that begins with the first of `events`, the events of a lane."""
    events = list(events)
    first = events[0]
    if first.recovered or first.record.suspect:
        return Gathered([first], 1, ended=True)
    most = first.record.burst or MAX_LOADED
    run = [first, *takewhile(lambda one: _belongs(first, one), islice(events, 1, most))]
    return Gathered(run, most, ended=len(run) < min(most, len(events)))


def quiet_at(burst: Gathered, policy: BurstPolicy, now_ms: int) -> int:
    """Return when `burst` may be attempted, as Unix time in milliseconds: `now_ms` or later."""
    first, last = burst.events[0].event.received_at, burst.events[-1].event.received_at
    if burst.complete or burst.events[0].record.burst:
        return now_ms
    at_ms = min(last + round(policy.quiet_s * 1000), first + round(policy.limit_s * 1000))
    longest_ms = now_ms + round(policy.quiet_s * 1000)
    return at_ms if now_ms < at_ms <= longest_ms else now_ms  # a later time is that of a wrong clock


def with_size(verdict: Retry, in_flight: InFlightEvent) -> Retry:
    """Return `verdict` with the number of events that are attempted again together."""
    return verdict._replace(record=msgspec.structs.replace(verdict.record, burst=1 + len(in_flight.burst)))


class Bursts:
    """Decides for the lanes of one partition. `wait(lane, time_ms)` lets a lane wait in Redis; `offer(lane)` gives it a worker
    slot again."""

    def __init__(
        self,
        attempts: Attempts,
        lanes: Lanes,
        wait: Callable[[Lane, int], None],
        offer: Callable[[Lane], None],
        clock: Clock,
    ) -> None:
        self._attempts = attempts
        self._lanes = lanes
        self._wait = wait
        self._offer = offer
        self._clock = clock
        self.are_wanted = attempts.has_bursts
        """Whether any handler wants bursts. Without one, nothing here is called."""

    def must_wait(self, lane: Lane) -> bool:
        """Let `lane` wait if more may join its burst, and return whether it waits. Else put the burst into its first event."""
        in_flight = lane.events[0]
        in_flight.burst = ()
        policy = self._attempts.burst_policy(in_flight)
        if policy is None or not lane.ordered:
            return False
        burst = gathered(lane.events)
        if not burst.complete and self._loads_more(lane):
            return True
        now_ms = self._clock.now_ms()
        if (at_ms := quiet_at(burst, policy, now_ms)) > now_ms:
            self._wait(lane, at_ms)
            return True
        in_flight.burst = tuple(burst.events[1:])
        return False

    def after(self, in_flight: InFlightEvent, verdict: Retry) -> Retry:
        """Return `verdict` so that the same events are attempted again together."""
        return verdict if self._attempts.burst_policy(in_flight) is None else with_size(verdict, in_flight)

    def _loads_more(self, lane: Lane) -> bool:
        if lane.gave_up_loading or not self._lanes.load_before_offer(lane):
            lane.gave_up_loading = False
            return False
        self._clock.call_later(_LOADING_S, lambda: self._give_up_loading(lane))
        return True

    def _give_up_loading(self, lane: Lane) -> None:
        """Go on without the rest of the burst: memory may be full of lanes that wait for theirs."""
        if lane.offered_when_loaded and lane.events:
            lane.offered_when_loaded = False
            lane.gave_up_loading = True
            self._offer(lane)


def _belongs(first: InFlightEvent, one: InFlightEvent) -> bool:
    return not one.recovered and (one.event.kind, one.event.account) == (first.event.kind, first.event.account)
