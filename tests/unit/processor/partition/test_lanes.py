"""One event of a conversation at a time."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline_processor.in_flight import InFlightEvent
from hookline_processor.partition.lanes import MAX_LOADED, Lane, Lanes
from hookline_processor.retry import Record
from hookline_shared.event import Event
from hookline_shared.topics import MESSAGES, STATUSES


class LaneHarness:
    """What the lanes have asked for, and the lanes themselves; `statuses` is not ordered."""

    def __init__(self) -> None:
        self.offers: list[tuple[Lane, int]] = []
        self.wanted: list[Lane] = []
        self.lanes = Lanes({MESSAGES}, lambda lane, at: self.offers.append((lane, at)), self.wanted.append)

    def add(self, *numbers: int, key: str = "a", topic: str = MESSAGES) -> list[bool]:
        return [self.lanes.add(held(key, number, topic=topic)) for number in numbers]

    def supply(self) -> None:
        """Load what the lane that has waited longest needs."""
        lane = self.wanted.pop(0)
        wanted = lane.next_to_load()
        self.lanes.add_loaded(lane, len(wanted), [held(lane.key, int(one.entry_id)) for one in wanted])


@pytest.fixture
def harness() -> LaneHarness:
    """Return lanes without any event."""
    return LaneHarness()


def test_first_event_of_a_key_is_offered_and_the_next_waits(harness: LaneHarness) -> None:
    """A lane runs one event; the next is offered when that one is settled."""
    assert harness.add(1, 2) == [True, True]
    ((lane, _),) = harness.offers
    assert [one.entry_id for one in lane.events] == ["1", "2"]

    harness.lanes.settled(lane)
    assert len(harness.offers) == 2
    assert [one.entry_id for one in lane.events] == ["2"]

    harness.lanes.settled(lane)
    assert len(harness.lanes) == 0


def test_failed_event_keeps_its_place_and_its_time(harness: LaneHarness) -> None:
    """A failed event is offered again for the time in its record, before those behind it."""
    harness.add(1, 2)
    ((lane, _),) = harness.offers
    first = lane.events[0]
    first.record = Record(failures=1, next_at=123)
    harness.lanes.offer_again(lane)
    assert harness.offers[-1] == (lane, 123)
    assert lane.events[0] is first


def test_recovered_event_waits_for_its_time(harness: LaneHarness) -> None:
    """An event that comes with a retry record is offered for the time in it."""
    harness.lanes.add(held("a", 1, Record(failures=2, next_at=77)))
    assert [at for _, at in harness.offers] == [77]


def test_same_key_in_two_topics_runs_side_by_side(harness: LaneHarness) -> None:
    """Order holds within a topic; a slow topic does not hold up another one."""
    harness.add(1)
    harness.add(2, topic=STATUSES)
    assert [lane.topic for lane, _ in harness.offers] == [MESSAGES, STATUSES]


def test_events_of_an_unordered_topic_do_not_wait_for_each_other(harness: LaneHarness) -> None:
    """Each has a lane to itself, though they have the same key."""
    harness.add(1, 2, 3, topic=STATUSES)
    assert len(harness.offers) == 3
    for lane, _ in list(harness.offers):
        harness.lanes.settled(lane)
    assert len(harness.lanes) == 0


def test_long_lane_knows_the_rest_by_their_ids(harness: LaneHarness) -> None:
    """Beyond a few events only ids are kept; they are wanted once when half of the few are left, and come in their order."""
    assert harness.add(*range(MAX_LOADED)) == [True] * MAX_LOADED
    assert harness.add(100, 101) == [False, False]
    ((lane, _),) = harness.offers
    for _ in range(MAX_LOADED // 2):
        assert harness.wanted == []
        harness.lanes.settled(lane)
    assert harness.wanted == [lane]
    harness.lanes.settled(lane)
    assert harness.wanted == [lane]
    harness.supply()
    assert [one.entry_id for one in lane.events][-2:] == ["100", "101"]
    assert harness.add(102) == [True]


def test_lane_that_ran_dry_goes_on_when_it_is_supplied(harness: LaneHarness) -> None:
    """Without events it is not offered, and it is as soon as there are some."""
    harness.add(*range(MAX_LOADED + 1))
    ((lane, _),) = harness.offers
    for _ in range(MAX_LOADED):
        harness.lanes.settled(lane)
    assert len(harness.offers) == MAX_LOADED
    harness.supply()
    assert len(harness.offers) == MAX_LOADED + 1
    assert lane.events[0].entry_id == str(MAX_LOADED)


def test_lane_whose_rest_is_gone_ends(harness: LaneHarness) -> None:
    """If the ids stand for nothing any more there is nothing left to do."""
    harness.add(*range(MAX_LOADED + 2))
    ((lane, _),) = harness.offers
    for _ in range(MAX_LOADED):
        harness.lanes.settled(lane)
    harness.lanes.add_loaded(lane, 2, [])
    assert len(harness.lanes) == 0
    assert len(harness.offers) == MAX_LOADED


@given(st.lists(st.sampled_from("abc"), max_size=120), st.randoms(use_true_random=False))
def test_any_interleaving_keeps_the_order_of_each_key(keys: list[str], chance: Random) -> None:
    """However additions, failures, supplies and settlements interleave, a key's events settle in order, one at a time."""
    harness = LaneHarness()
    settled: list[tuple[str, int]] = []
    waiting = [(key, number) for number, key in enumerate(keys)]

    def add() -> None:
        key, number = waiting.pop(0)
        harness.add(number, key=key)

    def attempt() -> None:
        assert len({lane.key for lane, _ in harness.offers}) == len(harness.offers), "a lane was offered twice"
        lane, _ = harness.offers.pop(chance.randrange(len(harness.offers)))
        assert len(lane.events) <= MAX_LOADED
        if chance.random() < 0.7:
            settled.append((lane.key, int(lane.events[0].entry_id)))
            harness.lanes.settled(lane)
        else:
            harness.lanes.offer_again(lane)

    while waiting or harness.offers or harness.wanted:
        steps: list[tuple[Callable[[], None], object]] = [
            (add, waiting),
            (attempt, harness.offers),
            (harness.supply, harness.wanted),
        ]
        chance.choice([step for step, can in steps if can])()
    assert sorted(settled) == sorted((key, number) for number, key in enumerate(keys))
    for key in set(keys):
        numbers = [number for name, number in settled if name == key]
        assert numbers == sorted(numbers)
    assert len(harness.lanes) == 0


def held(key: str, number: int, record: Record | None = None, topic: str = MESSAGES) -> InFlightEvent:
    event = Event(id=f"{number}", kind="k", key=key, dedupe_key="", received_at=0, target="/", body=b"")
    return InFlightEvent(topic, str(number), event, record or Record())
