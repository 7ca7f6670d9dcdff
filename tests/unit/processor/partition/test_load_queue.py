"""The lanes that need their next events."""

from hookline_processor.partition.lanes import Lane
from hookline_processor.partition.waiting.load_queue import Load, LoadQueue
from hookline_shared.topics import MESSAGES, STATUSES


def test_lanes_come_in_the_order_of_their_requests() -> None:
    """Each once, and it stays until it was loaded."""
    queue, lane = LoadQueue(), Lane(MESSAGES, "a")
    assert not queue.wake.is_set()
    queue.request_by_id(STATUSES, "x")
    queue.request(lane)
    queue.request_by_id(STATUSES, "x")
    assert queue.wake.is_set()
    both = [Load(STATUSES, "x", None), Load(MESSAGES, lane.id, lane)]
    assert queue.first(10, lambda _load: True) == queue.first(10, lambda _load: True) == both
    assert len(queue) == 2
    assert lane.id in queue


def test_only_those_that_suit_are_taken() -> None:
    """Others do not stand in their way, however many there are."""
    queue = LoadQueue()
    for number in range(100):
        queue.request_by_id(MESSAGES, f"m{number}")
    queue.request_by_id(STATUSES, "s")
    assert [load.lane_id for load in queue.first(5, lambda load: load.topic == STATUSES)] == ["s"]
    assert [load.lane_id for load in queue.first(2, lambda _load: True)] == ["m0", "m1"]


def test_dropped_lane_is_not_loaded() -> None:
    """Dropping is safe for every lane."""
    queue = LoadQueue()
    queue.request_by_id(MESSAGES, "a")
    queue.drop("a")
    queue.drop("a")
    assert len(queue) == 0
    assert "a" not in queue


def test_lane_that_came_into_memory_replaces_its_id() -> None:
    """The latest request has what is known about the lane."""
    queue, lane = LoadQueue(), Lane(MESSAGES, "a")
    queue.request_by_id(MESSAGES, lane.id)
    queue.request(lane)
    assert queue.first(9, lambda _load: True) == [Load(MESSAGES, lane.id, lane)]


def test_request_made_since_the_question_stays() -> None:
    """The answer to the older one may lack what it asks for."""
    queue = LoadQueue()
    queue.request_by_id(MESSAGES, "a")
    (asked,) = queue.first(9, lambda _load: True)
    queue.request_by_id(MESSAGES, "a")
    queue.answered(asked)
    (newer,) = queue.first(9, lambda _load: True)
    queue.answered(newer)
    queue.answered(newer)
    assert len(queue) == 0
