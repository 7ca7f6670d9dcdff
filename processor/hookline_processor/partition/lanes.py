"""One lane per conversation: its events are handled one at a time, in arrival order. No I/O.

A lane exists while it has events. It is ready when its first event may be attempted now, running during the attempt, and
waiting after a failed attempt until the retry is due; the events behind it wait as well. Only the first few events of a long
lane are in memory. The others are deferred: known by their ids, and loaded from Redis shortly before their turn.

In an unordered topic each event has its own lane.
"""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple

from hookline_processor.in_flight import InFlightEvent

MAX_LOADED: Final = 8
"""How many events of one lane are in memory."""
_LOAD_BELOW: Final = MAX_LOADED // 2
"""Deferred entries are loaded once the lane has no more events than this in memory."""


class DeferredEntry(NamedTuple):
    """An entry known only by its id. `recovered` is whether it was pending when it was read."""

    entry_id: str
    recovered: bool


@dataclass(slots=True, eq=False)
class Lane:
    """The events of one key in one topic. The first one is attempted; `deferred` entries come after `events`."""

    topic: str
    key: str
    events: deque[InFlightEvent] = field(default_factory=deque)
    deferred: deque[DeferredEntry] = field(default_factory=deque)
    loading: bool = False

    def next_to_load(self) -> list[DeferredEntry]:
        """Return the deferred entries to load next."""
        return list(islice(self.deferred, MAX_LOADED - len(self.events)))


class Lanes:
    """The lanes of one partition.

    `offer(lane, at)` is called whenever a lane should run, at Unix time `at` in ms, 0 for now. `request_load(lane)` is called
    when a lane needs its next deferred entries, once until `add_loaded` adds them. In topics that are not in `ordered` each
    event has its own lane.
    """

    def __init__(
        self, ordered: Collection[str], offer: Callable[[Lane, int], None], request_load: Callable[[Lane], None]
    ) -> None:
        self._ordered = ordered
        self._offer = offer
        self._request_load = request_load
        self._lanes: dict[tuple[str, str], Lane] = {}

    def __len__(self) -> int:
        return len(self._lanes)

    def all(self) -> list[Lane]:
        """Return every lane."""
        return list(self._lanes.values())

    def add(self, in_flight: InFlightEvent) -> bool:
        """Add `in_flight` to the end of its lane. Return False if it is deferred, so that only its id is kept."""
        key = in_flight.event.key if in_flight.topic in self._ordered else in_flight.entry_id
        lane = self._lanes.get((in_flight.topic, key))
        if lane is None:
            lane = self._lanes[in_flight.topic, key] = Lane(in_flight.topic, key)
        elif lane.deferred or len(lane.events) == MAX_LOADED:
            lane.deferred.append(DeferredEntry(in_flight.entry_id, in_flight.recovered))
            self._load_if_needed(lane)
            return False
        lane.events.append(in_flight)
        if len(lane.events) == 1:
            self._offer(lane, in_flight.record.next_at)
        return True

    def add_loaded(self, lane: Lane, number: int, events: Sequence[InFlightEvent]) -> None:
        """Replace the next `number` deferred entries of `lane` by `events`, which may be fewer."""
        lane.loading = False
        idle = not lane.events
        for _ in range(number):
            lane.deferred.popleft()
        lane.events.extend(events)
        if idle:
            self._offer_next(lane)
        self._load_if_needed(lane)

    def settled(self, lane: Lane) -> None:
        """Remove the first event of `lane`, and offer the next one if there is one."""
        lane.events.popleft()
        self._offer_next(lane)
        self._load_if_needed(lane)

    def offer_again(self, lane: Lane) -> None:
        """Offer the first event of `lane` again, at the time in its record."""
        self._offer(lane, lane.events[0].record.next_at)

    def _offer_next(self, lane: Lane) -> None:
        if lane.events:
            self._offer(lane, lane.events[0].record.next_at)
        elif not lane.deferred:
            del self._lanes[lane.topic, lane.key]

    def _load_if_needed(self, lane: Lane) -> None:
        if lane.deferred and not lane.loading and len(lane.events) <= _LOAD_BELOW:
            lane.loading = True
            self._request_load(lane)
