"""One lane per conversation: its events are handled one at a time, in arrival order. No I/O.

A lane is in memory while it has events in memory. Its first event is ready, running, or settled as waiting; the others come
after it. Redis may have more of its events in the waiting index (`hookline_shared/streams/waiting/index.py`): they come after
those in memory.

    in memory only           new events are added at the end, as long as there is room for events that are not the first
    indexed                  new events go to the index, and are loaded before their turn
    leaving                  its first event is about to wait: new events are added at the end, and go to the index after it
    (not in memory)          all its events are in the index, or it has none

In an unordered topic each event has its own lane.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from hookline_processor.in_flight import InFlightEvent
from hookline_shared.streams.waiting.index import lane_id

MAX_LOADED: Final = 8
"""How many events of one lane are in memory."""
_ALWAYS_LOADED: Final = 4
_LOAD_BELOW: Final = MAX_LOADED // 2
"""Indexed events are loaded once the lane has no more events than this in memory."""


@dataclass(slots=True, eq=False)
class Lane:
    """The events of one key in one topic. `id` is its name in the waiting index.

    `indexed` is whether Redis may have indexed events of it, in memory or not, and `behind` whether some may not be in memory.
    """

    topic: str
    key: str
    events: deque[InFlightEvent] = field(default_factory=deque)
    indexed: bool = False
    behind: bool = False
    loading: bool = False
    leaving: bool = False
    ordered: bool = True
    offered_when_loaded: bool = False
    """Whether its first event waits for the next ones, to be attempted with them."""
    gave_up_loading: bool = False

    @property
    def id(self) -> str:
        """The name of the lane in the waiting index."""
        return lane_id(self.topic, self.key) if self.ordered else self.key

    @property
    def last_indexed(self) -> str:
        """The last event in memory that is indexed, empty if none is."""
        return next((in_flight.entry_id for in_flight in reversed(self.events) if in_flight.lane_id), "")


class Lanes:
    """The lanes of one partition that are in memory.

    `offer(lane)` is called whenever the first event of a lane may be attempted, and `request_load(lane)` when a lane needs its
    next indexed events, and again if it becomes empty before `loaded`. In topics that are not in `ordered` each event has its
    own lane. `most_behind` is how many events of a topic may be in memory that are not the first of their lanes.
    """

    def __init__(
        self,
        ordered: Collection[str],
        most_behind: int,
        offer: Callable[[Lane], None],
        request_load: Callable[[Lane], None],
    ) -> None:
        self._ordered = ordered
        self._most_behind = most_behind
        self._offer = offer
        self._request_load = request_load
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._behind: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._lanes)

    def __contains__(self, lane: Lane) -> bool:
        return self._lanes.get((lane.topic, lane.key)) is lane

    def all(self) -> list[Lane]:
        """Return every lane."""
        return list(self._lanes.values())

    def find(self, in_flight: InFlightEvent) -> Lane | None:
        """Return the lane of an event, or None if it is not in memory."""
        return self._lanes.get((in_flight.topic, self._key(in_flight)))

    def is_ordered(self, topic: str) -> bool:
        """Whether the events of one key share a lane."""
        return topic in self._ordered

    def lane_of(self, in_flight: InFlightEvent) -> Lane:
        """Return the lane of an event; if it is not in memory, a new one, which is not in memory either."""
        return self.find(in_flight) or Lane(in_flight.topic, self._key(in_flight), ordered=in_flight.topic in self._ordered)

    def get_or_add(self, in_flight: InFlightEvent) -> Lane:
        """Return the lane of an event, which may be new and without events."""
        return self.find(in_flight) or self.add(in_flight)

    def add(self, in_flight: InFlightEvent) -> Lane:
        """Add the lane of an event, which is not in memory, and return it; it has no events yet."""
        lane = Lane(in_flight.topic, self._key(in_flight), ordered=in_flight.topic in self._ordered)
        self._lanes[in_flight.topic, lane.key] = lane
        return lane

    def has_room(self, lane: Lane, expected: int = 0, expected_behind: int = 0) -> bool:
        """Whether another event may be added to `lane`, as one that is not the first.

        `expected` more events may come before it, and in all lanes of the topic `expected_behind` more that are not the first.
        A few are added in any case: a backlog of many short conversations would else go to Redis and back.
        """
        number = len(lane.events) + expected
        behind = self._behind[lane.topic] + expected_behind
        return number < _ALWAYS_LOADED or (number < MAX_LOADED and behind < self._most_behind)

    def append(self, lane: Lane, in_flight: InFlightEvent) -> None:
        """Add an event to the end of `lane`, and offer the lane if it is the first."""
        lane.events.append(in_flight)
        if len(lane.events) > 1:
            self._behind[lane.topic] += 1
        elif not lane.leaving:
            self._offer(lane)

    def load_before_offer(self, lane: Lane) -> bool:
        """Request the next events of `lane`, and offer it when they are there. Return False if there are none."""
        if lane.behind and not lane.loading:
            lane.loading = True
            self._request_load(lane)
        lane.offered_when_loaded = lane.loading
        return lane.loading

    def settled(self, lane: Lane, number: int = 1) -> None:
        """Remove the first `number` events of `lane`, which are done or dead, and offer the next one if there is one."""
        for _ in range(number):
            self._pop(lane)
        if lane.events:
            self._offer(lane)
        elif lane.loading:
            self._request_load(lane)  # it may have been asked for without room behind its first event; now it needs that one
        self.load_if_needed(lane)

    def wanted(self, lane: Lane, expected_behind: int) -> int:
        """Return how many events to load of `lane`, while in its topic `expected_behind` more come that are not the first."""
        room_behind = max(0, self._most_behind - self._behind[lane.topic] - expected_behind)
        return min(MAX_LOADED - len(lane.events), room_behind + (not lane.events))

    def removed(self, lane: Lane, number: int) -> None:
        """Remove the first `number` events of a leaving lane, which are in Redis only."""
        for _ in range(number):
            self._pop(lane)
        lane.indexed = lane.behind = True

    def loaded(self, lane: Lane, *, indexed: bool, more: bool) -> None:
        """Note that the requested events of `lane` were added: whether it had any, `indexed`, and whether it has `more`."""
        lane.loading = False
        lane.indexed = indexed or lane.behind
        lane.behind = lane.behind or more
        if lane.offered_when_loaded:
            lane.offered_when_loaded = False
            self._offer(lane)
        self.load_if_needed(lane)

    def load_if_needed(self, lane: Lane) -> None:
        """Request the next events of `lane`, or remove it if there are none."""
        if lane.behind and not lane.loading and not lane.leaving and len(lane.events) <= _LOAD_BELOW:
            lane.loading = True
            self._request_load(lane)
        elif not lane.events and not lane.loading:
            self.remove(lane)

    def remove(self, lane: Lane) -> None:
        """Remove `lane`, which has no events in memory."""
        self._lanes.pop((lane.topic, lane.key), None)

    def _pop(self, lane: Lane) -> None:
        lane.events.popleft()
        if lane.events:
            self._behind[lane.topic] -= 1

    def _key(self, in_flight: InFlightEvent) -> str:
        return in_flight.event.key if in_flight.topic in self._ordered else in_flight.entry_id
