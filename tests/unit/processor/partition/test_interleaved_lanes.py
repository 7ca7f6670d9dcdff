"""Lanes of several conversations, whose events come, wait and settle in any order."""

from collections import deque
from collections.abc import Callable
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from hookline_processor.in_flight import InFlightEvent
from hookline_processor.partition.lanes import MAX_LOADED, Lane, Lanes
from hookline_shared.topics import MESSAGES
from tests.support.processor.lanes import MOST_BEHIND, LaneHarness, held


class Interleaving:
    """Events of some keys that come, are attempted, wait and return, in any order; Redis keeps what a lane has no room for."""

    def __init__(self, keys: list[str], chance: Random) -> None:
        self.harness = LaneHarness()
        self.harness.lanes = Lanes({MESSAGES}, MOST_BEHIND, self.harness.offers.append, self.request)
        self.coming = deque(enumerate(keys))
        self.indexed: dict[str, deque[InFlightEvent]] = {}
        self.waiting: list[str] = []
        self.settled: list[tuple[str, int]] = []
        self._chance = chance

    def steps(self) -> list[Callable[[], None]]:
        """Return what may happen next."""
        can = {
            self.add: self.coming,
            self.attempt: self.harness.offers,
            self.load: self.harness.requests,
            self.resume: self.waiting,
        }
        return [step for step, possible in can.items() if possible]

    def request(self, lane: Lane) -> None:
        """Note that a lane asks, once however often it does."""
        if lane not in self.harness.requests:
            self.harness.requests.append(lane)

    def add(self) -> None:
        number, key = self.coming.popleft()
        in_flight = held(key, number)
        lane = self.harness.lanes.find(in_flight)
        if (lane is None and key in self.indexed) or (lane and (lane.indexed or not self.harness.lanes.has_room(lane))):
            self.indexed.setdefault(key, deque()).append(in_flight)
            if lane:
                lane.indexed = lane.behind = True
                self.harness.lanes.load_if_needed(lane)
        else:
            self.harness.lanes.append(self.harness.lanes.get_or_add(in_flight), in_flight)

    def attempt(self) -> None:
        assert len({lane.key for lane in self.harness.offers}) == len(self.harness.offers), "a lane was offered twice"
        lane = self.harness.offers.pop(self._chance.randrange(len(self.harness.offers)))
        assert len(lane.events) <= MAX_LOADED
        if self._chance.random() < 0.7:
            self.settled.append((lane.key, int(lane.events[0].entry_id)))
            self.harness.lanes.settled(lane)
        else:
            self.leave(lane)

    def leave(self, lane: Lane) -> None:
        """Let a lane wait in Redis, with all its events."""
        lane.leaving = True
        if lane in self.harness.requests:
            self.harness.requests.remove(lane)
        self.indexed.setdefault(lane.key, deque()).extendleft(reversed(lane.events))
        self.harness.lanes.removed(lane, len(lane.events))
        self.harness.lanes.remove(lane)
        self.waiting.append(lane.key)

    def resume(self) -> None:
        key = self.waiting.pop(self._chance.randrange(len(self.waiting)))
        in_flight = self.indexed[key].popleft()
        lane = self.harness.lanes.get_or_add(in_flight)
        lane.indexed, lane.behind = True, bool(self.indexed[key])
        if not lane.behind:
            del self.indexed[key]
        self.harness.lanes.append(lane, in_flight)
        self.harness.lanes.load_if_needed(lane)

    def load(self) -> None:
        lane = self.harness.requests.pop(0)
        stored = self.indexed.get(lane.key, deque())
        while stored and len(lane.events) < MAX_LOADED:
            self.harness.lanes.append(lane, stored.popleft())
        if not stored:
            self.indexed.pop(lane.key, None)
        lane.behind = False
        self.harness.lanes.loaded(lane, indexed=bool(stored), more=bool(stored))


@given(st.lists(st.sampled_from("abc"), max_size=120), st.randoms(use_true_random=False))
def test_any_interleaving_keeps_the_order_of_each_key(keys: list[str], chance: Random) -> None:
    """However arrivals, waits, loads and settlements interleave, a key's events settle in order, one at a time."""
    interleaving = Interleaving(keys, chance)
    while steps := interleaving.steps():
        chance.choice(steps)()
    assert sorted(interleaving.settled) == sorted((key, number) for number, key in enumerate(keys))
    for key in set(keys):
        numbers = [number for name, number in interleaving.settled if name == key]
        assert numbers == sorted(numbers)
    assert len(interleaving.harness.lanes) == 0
