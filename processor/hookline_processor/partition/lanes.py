"""One lane per conversation: its events are handled one at a time, in arrival order. Pure of I/O.

A lane exists while it has events. It is ready when its first event may be attempted now, running while that happens, and
waiting after a failed attempt, until that event's time has come; the events behind it wait with it. Of a long lane only the
first few events are in memory. Those behind are known by their ids, and wanted from Redis when it is nearly their turn.

In a topic that is not ordered each event has a lane to itself.
"""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple

from hookline_processor.in_flight import InFlightEvent

BODIES: Final = 8
"""How many events of one lane are in memory."""
_FEW: Final = BODIES // 2
"""With this many left, those behind them are wanted."""


class DeferredEntry(NamedTuple):
    """An event that is known by its id, and whether it was pending when it was read."""

    entry_id: str
    recovered: bool


@dataclass(slots=True, eq=False)
class Lane:
    """The events of one key in one topic; the first is the one being attempted. Those known by their ids come after them."""

    topic: str
    key: str
    events: deque[InFlightEvent] = field(default_factory=deque)
    known: deque[DeferredEntry] = field(default_factory=deque)
    wanting: bool = False

    def wanted(self) -> list[DeferredEntry]:
        """Return the next events that it has room for."""
        return list(islice(self.known, BODIES - len(self.events)))


class Lanes:
    """The lanes of one partition.

    `offer(lane, at)` is called whenever a lane is to run: at Unix time `at` in ms, 0 for now. `want(lane)` is called once when
    it needs the next events that it knows by their ids, which `supply` brings. Topics that are not in `ordered` have a lane
    for each event.
    """

    def __init__(self, ordered: Collection[str], offer: Callable[[Lane, int], None], want: Callable[[Lane], None]) -> None:
        self._ordered = ordered
        self._offer = offer
        self._want = want
        self._lanes: dict[tuple[str, str], Lane] = {}

    def __len__(self) -> int:
        return len(self._lanes)

    def all(self) -> list[Lane]:
        """Return every lane."""
        return list(self._lanes.values())

    def add(self, held: InFlightEvent) -> bool:
        """Put `held` at the end of its lane; False if only its id is kept."""
        key = held.event.key if held.topic in self._ordered else held.entry_id
        lane = self._lanes.get((held.topic, key))
        if lane is None:
            lane = self._lanes[held.topic, key] = Lane(held.topic, key)
        elif lane.known or len(lane.events) == BODIES:
            lane.known.append(DeferredEntry(held.entry_id, held.recovered))
            self._ask(lane)
            return False
        lane.events.append(held)
        if len(lane.events) == 1:
            self._offer(lane, held.record.next_at)
        return True

    def supply(self, lane: Lane, number: int, events: Sequence[InFlightEvent]) -> None:
        """Put `events` behind those that `lane` has: the next `number` that it knew, less those that are none any more."""
        lane.wanting = False
        idle = not lane.events
        for _ in range(number):
            lane.known.popleft()
        lane.events.extend(events)
        if idle:
            self._go_on(lane)
        self._ask(lane)

    def settled(self, lane: Lane) -> None:
        """Take the lane's first event away and offer the next one, if there is any."""
        lane.events.popleft()
        self._go_on(lane)
        self._ask(lane)

    def offer_again(self, lane: Lane) -> None:
        """Offer the lane's first event again at the time its record says."""
        self._offer(lane, lane.events[0].record.next_at)

    def _go_on(self, lane: Lane) -> None:
        if lane.events:
            self._offer(lane, lane.events[0].record.next_at)
        elif not lane.known:
            del self._lanes[lane.topic, lane.key]

    def _ask(self, lane: Lane) -> None:
        if lane.known and not lane.wanting and len(lane.events) <= _FEW:
            lane.wanting = True
            self._want(lane)
