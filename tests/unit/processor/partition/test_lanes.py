"""One event of a conversation at a time."""

import pytest

from hookline_processor.partition.lanes import MAX_LOADED, Lane
from hookline_shared.streams.waiting.index import lane_id
from hookline_shared.topics import MESSAGES, STATUSES
from tests.support.processor.lanes import MOST_BEHIND, LaneHarness, held


@pytest.fixture
def harness() -> LaneHarness:
    """Return lanes without any event."""
    return LaneHarness()


def ids(lane: Lane) -> list[str]:
    return [one.entry_id for one in lane.events]


def test_first_event_of_a_key_is_offered_and_the_next_waits(harness: LaneHarness) -> None:
    """A lane runs one event; the next is offered when that one is settled. A lane without events is no more."""
    lane = harness.add(1, 2)
    assert harness.offers == [lane]
    assert ids(lane) == ["1", "2"]

    harness.lanes.settled(lane)
    assert harness.offers == [lane, lane]
    assert ids(lane) == ["2"]

    harness.lanes.settled(lane)
    assert len(harness.lanes) == 0
    assert lane not in harness.lanes


def test_same_key_in_two_topics_runs_side_by_side(harness: LaneHarness) -> None:
    """Order holds within a topic; a slow topic does not hold up another one."""
    harness.add(1)
    harness.add(2, topic=STATUSES)
    assert [lane.topic for lane in harness.offers] == [MESSAGES, STATUSES]
    assert len({lane.id for lane in harness.offers}) == 2


def test_events_of_an_unordered_topic_do_not_wait_for_each_other(harness: LaneHarness) -> None:
    """Each has a lane to itself, though they have the same key; its name is that of the event."""
    harness.add(1, 2, 3, topic=STATUSES)
    assert [lane.id for lane in harness.offers] == ["1", "2", "3"]
    assert not harness.lanes.is_ordered(STATUSES)
    for lane in list(harness.offers):
        harness.lanes.settled(lane)
    assert len(harness.lanes) == 0


def test_lane_is_found_by_its_events(harness: LaneHarness) -> None:
    """It is made once; asking for it alone makes none."""
    one = held("a", 1)
    assert harness.lanes.find(one) is None
    unknown = harness.lanes.lane_of(one)
    assert (unknown.id, unknown.ordered, unknown in harness.lanes) == (lane_id(MESSAGES, "a"), True, False)
    lane = harness.lanes.get_or_add(one)
    assert harness.lanes.get_or_add(held("a", 2)) is harness.lanes.find(one) is harness.lanes.lane_of(one) is lane
    assert harness.lanes.all() == [lane]
    assert harness.lanes.lane_of(held("a", 3, topic=STATUSES)).id == "3"


def test_long_lane_has_no_room_for_more(harness: LaneHarness) -> None:
    """A few of its events are in memory; the others belong into Redis."""
    lane = harness.add(*range(MAX_LOADED - 1))
    assert harness.lanes.has_room(lane)
    harness.add(100)
    assert not harness.lanes.has_room(lane)
    harness.lanes.settled(lane)
    assert harness.lanes.has_room(lane)


def test_topic_has_no_room_for_more_that_wait_their_turn(harness: LaneHarness) -> None:
    """Those that are not the first of their lanes are few, so that the first of many others fit. Topics do not share it."""
    for number in range(MOST_BEHIND // 4):
        lane = harness.add(*range(100 * number, 100 * number + 5), key=str(number))
    assert not harness.lanes.has_room(lane)
    assert harness.lanes.has_room(harness.add(1, topic=STATUSES))
    harness.lanes.settled(lane)
    assert harness.lanes.has_room(lane)


def test_short_lane_always_has_room(harness: LaneHarness) -> None:
    """A backlog of many short conversations does not go to Redis and back."""
    for number in range(MOST_BEHIND):
        lane = harness.add(number, 100 + number, key=str(number))
    assert harness.lanes.has_room(lane)
    harness.add(1000, 1001, key=lane.key)
    assert not harness.lanes.has_room(lane)


def test_leaving_lane_gives_its_room_back(harness: LaneHarness) -> None:
    """Its events are in Redis only; what was added since is what it has."""
    for number in range(MOST_BEHIND):
        lane = harness.add(number, 100 + number, key=str(number))
    lane.leaving = True
    harness.lanes.removed(lane, 2)
    assert (lane.indexed, lane.behind, ids(lane)) == (True, True, [])
    assert harness.lanes.has_room(harness.add(1, key="other"))


def test_leaving_lane_is_not_offered(harness: LaneHarness) -> None:
    """Its first event is about to wait, so those behind it are not attempted."""
    lane = harness.add(1)
    lane.leaving = True
    harness.add(2)
    harness.lanes.removed(lane, 1)
    assert ids(lane) == ["2"]
    harness.add(3)
    assert harness.offers == [lane]
    harness.lanes.removed(lane, 2)
    harness.add(4)
    assert harness.offers == [lane]
    assert harness.requests == []


def test_indexed_events_are_requested_once_before_their_turn(harness: LaneHarness) -> None:
    """They are requested when half of the few are left, and again only after an answer."""
    lane = harness.add(*range(MAX_LOADED))
    lane.indexed = lane.behind = True
    for _ in range(MAX_LOADED // 2 - 1):
        harness.lanes.settled(lane)
    assert harness.requests == []
    harness.lanes.settled(lane)
    harness.lanes.settled(lane)
    assert harness.requests == [lane]
    harness.loaded(lane, more=True)
    assert harness.requests == [lane, lane]
    harness.add(*range(100, 100 + MAX_LOADED))
    harness.loaded(lane, more=True)
    assert harness.requests == [lane, lane]


def test_lane_that_ran_dry_goes_on_when_it_is_loaded(harness: LaneHarness) -> None:
    """Without events it is not offered, and it is as soon as there are some; meanwhile it stays."""
    lane = harness.add(1)
    lane.indexed = lane.behind = True
    harness.lanes.load_if_needed(lane)
    harness.lanes.settled(lane)
    assert lane in harness.lanes
    assert harness.offers == [lane]
    harness.add(2)
    harness.loaded(lane, more=False)
    assert harness.offers == [lane, lane]
    harness.lanes.settled(lane)
    assert lane not in harness.lanes


def test_lane_whose_indexed_events_are_gone_ends(harness: LaneHarness) -> None:
    """If Redis has none any more there is nothing left to do."""
    lane = harness.add(1)
    lane.indexed = lane.behind = True
    harness.lanes.load_if_needed(lane)
    harness.lanes.settled(lane)
    lane.behind = False
    harness.lanes.loaded(lane, indexed=False, more=False)
    assert len(harness.lanes) == 0
    assert harness.offers == [lane]


def test_event_that_was_deferred_during_a_load_is_loaded_next(harness: LaneHarness) -> None:
    """The answer may be older than it: whatever that says, there is more."""
    lane = harness.add(1)
    lane.indexed = lane.behind = True
    harness.lanes.load_if_needed(lane)
    lane.behind = False  # the question is sent
    lane.behind = True  # an event is deferred
    harness.lanes.loaded(lane, indexed=False, more=False)
    assert (lane.indexed, lane.behind) == (True, True)
    assert harness.requests == [lane, lane]


def test_last_indexed_event_is_known(harness: LaneHarness) -> None:
    """Those after it are loaded; events that were never indexed come before it."""
    lane = harness.add(1)
    assert lane.last_indexed == ""
    for number in (2, 3):
        in_flight = held("a", number)
        in_flight.lane_id = lane.id
        harness.lanes.append(lane, in_flight)
    assert lane.last_indexed == "3"
