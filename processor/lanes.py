"""One lane per conversation: its events are handled one at a time, in arrival order. Pure of I/O.

A lane exists while it has events. It is ready when its first event may be attempted now, running while that happens, and
waiting after a failed attempt, until that event's time has come; the events behind it wait with it.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from processor.retry import NEVER_FAILED, Record
from shared.event import Event


@dataclass(slots=True, eq=False)
class Held:
    """An event in this process's memory, from reading it until it is settled."""

    topic: str
    entry_id: str
    event: Event
    record: Record = NEVER_FAILED
    withdrawn: bool = False
    """Whether its attempt is being cancelled by us, which is no failure."""

    @property
    def recorded(self) -> bool:
        """Whether Redis holds a retry record of it, or will shortly."""
        return self.record != NEVER_FAILED


@dataclass(slots=True, eq=False)
class Lane:
    """The events of one key in one topic; the first is the one being attempted."""

    name: tuple[str, str]
    events: deque[Held] = field(default_factory=deque)


class Lanes:
    """The lanes of one partition. `offer(lane, at)` is called whenever a lane is to run: at Unix time `at` in ms, 0 for now."""

    def __init__(self, offer: Callable[[Lane, int], None]) -> None:
        self._offer = offer
        self._lanes: dict[tuple[str, str], Lane] = {}

    def __len__(self) -> int:
        return len(self._lanes)

    def add(self, held: Held) -> None:
        """Put `held` at the end of its lane."""
        name = (held.topic, held.event.key)
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name)
        lane.events.append(held)
        if len(lane.events) == 1:
            self._offer(lane, held.record.next_at)

    def settled(self, lane: Lane) -> None:
        """Take the lane's first event away and offer the next one, if there is any."""
        lane.events.popleft()
        if lane.events:
            self._offer(lane, lane.events[0].record.next_at)
        else:
            del self._lanes[lane.name]

    def failed(self, lane: Lane) -> None:
        """Offer the lane's first event again at the time its record says."""
        self._offer(lane, lane.events[0].record.next_at)
