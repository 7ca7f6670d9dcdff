"""One event of a conversation at a time."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline_processor.in_flight import InFlightEvent
from hookline_processor.partition.lanes import BODIES, Lane, Lanes
from hookline_processor.retry import Record
from hookline_shared.event import Event
from hookline_shared.topics import MESSAGES, STATUSES


class Desk:
    """What the lanes have asked for, and the lanes themselves; `statuses` is not ordered."""

    def __init__(self) -> None:
        self.offers: list[tuple[Lane, int]] = []
        self.wanted: list[Lane] = []
        self.lanes = Lanes({MESSAGES}, lambda lane, at: self.offers.append((lane, at)), self.wanted.append)

    def add(self, *numbers: int, key: str = "a", topic: str = MESSAGES) -> list[bool]:
        return [self.lanes.add(held(key, number, topic=topic)) for number in numbers]

    def supply(self) -> None:
        """Give the lane that has waited longest what it wants."""
        lane = self.wanted.pop(0)
        wanted = lane.wanted()
        self.lanes.supply(lane, len(wanted), [held(lane.key, int(one.entry_id)) for one in wanted])


@pytest.fixture
def desk() -> Desk:
    """Return lanes without any event."""
    return Desk()


def test_first_event_of_a_key_is_offered_and_the_next_waits(desk: Desk) -> None:
    """A lane runs one event; the next is offered when that one is settled."""
    assert desk.add(1, 2) == [True, True]
    ((lane, _),) = desk.offers
    assert [one.entry_id for one in lane.events] == ["1", "2"]

    desk.lanes.settled(lane)
    assert len(desk.offers) == 2
    assert [one.entry_id for one in lane.events] == ["2"]

    desk.lanes.settled(lane)
    assert len(desk.lanes) == 0


def test_failed_event_keeps_its_place_and_its_time(desk: Desk) -> None:
    """A failed event is offered again for the time in its record, before those behind it."""
    desk.add(1, 2)
    ((lane, _),) = desk.offers
    first = lane.events[0]
    first.record = Record(failures=1, next_at=123)
    desk.lanes.offer_again(lane)
    assert desk.offers[-1] == (lane, 123)
    assert lane.events[0] is first


def test_recovered_event_waits_for_its_time(desk: Desk) -> None:
    """An event that comes with a retry record is offered for the time in it."""
    desk.lanes.add(held("a", 1, Record(failures=2, next_at=77)))
    assert [at for _, at in desk.offers] == [77]


def test_same_key_in_two_topics_runs_side_by_side(desk: Desk) -> None:
    """Order holds within a topic; a slow topic does not hold up another one."""
    desk.add(1)
    desk.add(2, topic=STATUSES)
    assert [lane.topic for lane, _ in desk.offers] == [MESSAGES, STATUSES]


def test_events_of_an_unordered_topic_do_not_wait_for_each_other(desk: Desk) -> None:
    """Each has a lane to itself, though they have the same key."""
    desk.add(1, 2, 3, topic=STATUSES)
    assert len(desk.offers) == 3
    for lane, _ in list(desk.offers):
        desk.lanes.settled(lane)
    assert len(desk.lanes) == 0


def test_long_lane_knows_the_rest_by_their_ids(desk: Desk) -> None:
    """Beyond a few events only ids are kept; they are wanted once when half of the few are left, and come in their order."""
    assert desk.add(*range(BODIES)) == [True] * BODIES
    assert desk.add(100, 101) == [False, False]
    ((lane, _),) = desk.offers
    for _ in range(BODIES // 2):
        assert desk.wanted == []
        desk.lanes.settled(lane)
    assert desk.wanted == [lane]
    desk.lanes.settled(lane)
    assert desk.wanted == [lane]
    desk.supply()
    assert [one.entry_id for one in lane.events][-2:] == ["100", "101"]
    assert desk.add(102) == [True]


def test_lane_that_ran_dry_goes_on_when_it_is_supplied(desk: Desk) -> None:
    """Without events it is not offered, and it is as soon as there are some."""
    desk.add(*range(BODIES + 1))
    ((lane, _),) = desk.offers
    for _ in range(BODIES):
        desk.lanes.settled(lane)
    assert len(desk.offers) == BODIES
    desk.supply()
    assert len(desk.offers) == BODIES + 1
    assert lane.events[0].entry_id == str(BODIES)


def test_lane_whose_rest_is_gone_ends(desk: Desk) -> None:
    """If the ids stand for nothing any more there is nothing left to do."""
    desk.add(*range(BODIES + 2))
    ((lane, _),) = desk.offers
    for _ in range(BODIES):
        desk.lanes.settled(lane)
    desk.lanes.supply(lane, 2, [])
    assert len(desk.lanes) == 0
    assert len(desk.offers) == BODIES


@given(st.lists(st.sampled_from("abc"), max_size=120), st.randoms(use_true_random=False))
def test_any_interleaving_keeps_the_order_of_each_key(keys: list[str], chance: Random) -> None:
    """However additions, failures, supplies and settlements interleave, a key's events settle in order, one at a time."""
    desk = Desk()
    settled: list[tuple[str, int]] = []
    waiting = [(key, number) for number, key in enumerate(keys)]

    def add() -> None:
        key, number = waiting.pop(0)
        desk.add(number, key=key)

    def attempt() -> None:
        assert len({lane.key for lane, _ in desk.offers}) == len(desk.offers), "a lane was offered twice"
        lane, _ = desk.offers.pop(chance.randrange(len(desk.offers)))
        assert len(lane.events) <= BODIES
        if chance.random() < 0.7:
            settled.append((lane.key, int(lane.events[0].entry_id)))
            desk.lanes.settled(lane)
        else:
            desk.lanes.offer_again(lane)

    while waiting or desk.offers or desk.wanted:
        steps: list[tuple[Callable[[], None], object]] = [(add, waiting), (attempt, desk.offers), (desk.supply, desk.wanted)]
        chance.choice([step for step, can in steps if can])()
    assert sorted(settled) == sorted((key, number) for number, key in enumerate(keys))
    for key in set(keys):
        numbers = [number for name, number in settled if name == key]
        assert numbers == sorted(numbers)
    assert len(desk.lanes) == 0


def held(key: str, number: int, record: Record | None = None, topic: str = MESSAGES) -> InFlightEvent:
    event = Event(id=f"{number}", kind="k", key=key, dedupe_key="", received_at=0, target="/", body=b"")
    return InFlightEvent(topic, str(number), event, record or Record())
