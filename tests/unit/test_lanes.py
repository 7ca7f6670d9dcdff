"""One event of a conversation at a time."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from processor.lanes import Held, Lane, Lanes
from processor.retry import Record
from shared.event import Event


def test_first_event_of_a_key_is_offered_and_the_next_waits() -> None:
    """A lane runs one event; the next is offered when that one is settled."""
    offers: list[tuple[Lane, int]] = []
    lanes = Lanes(lambda lane, at: offers.append((lane, at)))
    first, second = held("a", 1), held("a", 2)
    lanes.add(first)
    lanes.add(second)
    assert [lane.events[0] for lane, _ in offers] == [first]

    lanes.settled(offers[0][0])
    assert len(offers) == 2
    assert offers[1][0].events[0] is second

    lanes.settled(offers[1][0])
    assert len(lanes) == 0


def test_failed_event_keeps_its_place_and_its_time() -> None:
    """A failed event is offered again for the time in its record, before those behind it."""
    offers: list[tuple[Lane, int]] = []
    lanes = Lanes(lambda lane, at: offers.append((lane, at)))
    first = held("a", 1)
    lanes.add(first)
    lanes.add(held("a", 2))
    first.record = Record(failures=1, next_at=123)
    lanes.failed(offers[0][0])
    assert offers[-1] == (offers[0][0], 123)
    assert offers[-1][0].events[0] is first


def test_recovered_event_waits_for_its_time() -> None:
    """An event that comes with a retry record is offered for the time in it."""
    offers: list[int] = []
    lanes = Lanes(lambda _lane, at: offers.append(at))
    lanes.add(held("a", 1, Record(failures=2, next_at=77)))
    assert offers == [77]


def test_same_key_in_two_topics_runs_side_by_side() -> None:
    """Order holds within a topic; a slow topic does not hold up another one."""
    offers: list[Lane] = []
    lanes = Lanes(lambda lane, _at: offers.append(lane))
    lanes.add(held("a", 1, topic="messages"))
    lanes.add(held("a", 2, topic="statuses"))
    assert len(offers) == 2


@given(st.lists(st.sampled_from("abc"), max_size=40), st.randoms(use_true_random=False))
def test_any_interleaving_keeps_the_order_of_each_key(keys: list[str], chance: Random) -> None:
    """However additions, failures and settlements interleave, each key's events settle in order, one running at a time."""
    ready: list[Lane] = []
    lanes = Lanes(lambda lane, _at: ready.append(lane))
    settled: list[tuple[str, int]] = []
    waiting = [(key, number) for number, key in enumerate(keys)]
    while waiting or ready:
        if waiting and (not ready or chance.random() < 0.5):
            lanes.add(held(*waiting.pop(0)))
            continue
        assert len({lane.name for lane in ready}) == len(ready), "a lane was offered twice"
        lane = ready.pop(chance.randrange(len(ready)))
        if chance.random() < 0.5:
            settled.append((lane.name[1], int(lane.events[0].entry_id)))
            lanes.settled(lane)
        else:
            lanes.failed(lane)
    assert sorted(settled) == sorted((key, number) for number, key in enumerate(keys))
    for key in set(keys):
        numbers = [number for name, number in settled if name == key]
        assert numbers == sorted(numbers)
    assert len(lanes) == 0


def held(key: str, number: int, record: Record | None = None, topic: str = "messages") -> Held:
    event = Event(id=f"{number}", kind="k", key=key, dedupe_key="", received_at=0, target="/", body=b"")
    return Held(topic, str(number), event, record or Record())
