"""How many handlers run at once, and which topic is next."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline_processor.partition.lanes import Lane
from hookline_processor.partition.slots import Slots
from hookline_shared.topics import BULK, CALLS, MESSAGES, STATUSES, Topic

ALIKE = {MESSAGES: Topic(), STATUSES: Topic()}


@pytest.fixture(autouse=True)
async def no_work_is_left() -> AsyncIterator[None]:
    """End what still runs when a test is over."""
    yield
    while left := asyncio.all_tasks() - {asyncio.current_task()}:  # the end of one begins another
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def turn_loop() -> None:
    """Let every task run until all of them wait."""
    for _ in range(10):
        await asyncio.sleep(0)


class Works:
    """Work that begins and ends when the test says."""

    def __init__(self) -> None:
        self.running: dict[str, asyncio.Event] = {}
        self.begun: Counter[str] = Counter()
        self.finished: list[str] = []

    async def __call__(self, lane: Lane) -> None:
        end = self.running[lane.key] = asyncio.Event()
        self.begun[lane.topic] += 1
        try:
            await end.wait()
            self.finished.append(lane.key)
        finally:
            del self.running[lane.key]

    async def finish(self, name: str) -> None:
        self.running[name].set()
        await turn_loop()

    def of(self, topic: str) -> int:
        """How many of `topic` are running; their keys begin with its name."""
        return sum(name.startswith(topic) for name in self.running)


def lane(name: str, topic: str = MESSAGES) -> Lane:
    return Lane(topic, name)


def offer(slots: Slots, works: Works, topic: str, number: int) -> None:
    """Offer `number` lanes of `topic`."""
    for at in range(number):
        slots.offer(lane(f"{topic}{at}", topic), works)


async def test_no_more_than_the_limit_run_at_once() -> None:
    """Lanes beyond the limit wait for a slot, and get it in the order in which they were offered."""
    works, slots = Works(), Slots(2, {MESSAGES: Topic()})
    for name in "abcd":
        slots.offer(lane(name), works)
    await turn_loop()
    assert list(works.running) == ["a", "b"]
    await works.finish("b")
    assert list(works.running) == ["a", "c"]
    await works.finish("a")
    await works.finish("c")
    await works.finish("d")
    assert works.finished == ["b", "a", "c", "d"]


async def test_some_slots_are_kept_for_every_topic() -> None:
    """A topic whose handlers all hang leaves the others their part of half of the slots."""
    works, slots = Works(), Slots(16, {MESSAGES: Topic(weight=3), STATUSES: Topic(weight=1)})
    offer(slots, works, STATUSES, 50)
    await turn_loop()
    assert works.of(STATUSES) == 16 - 6
    offer(slots, works, MESSAGES, 50)
    await turn_loop()
    assert (works.of(STATUSES), works.of(MESSAGES)) == (10, 6)


async def test_topic_has_at_most_its_concurrency() -> None:
    """However much of it is ready, and however many slots are free."""
    works, slots = Works(), Slots(10, {MESSAGES: Topic(concurrency=2), STATUSES: Topic()})
    offer(slots, works, MESSAGES, 5)
    offer(slots, works, STATUSES, 20)
    await turn_loop()
    assert works.of(MESSAGES) == 2
    assert works.of(STATUSES) == 8
    await works.finish(f"{MESSAGES}0")
    assert works.of(MESSAGES) == 2


async def test_weights_share_the_slots() -> None:
    """Of topics that all have work, each gets turns in proportion to its weight, and none waits for ever."""
    topics = {MESSAGES: Topic(weight=4), STATUSES: Topic(weight=2), BULK: Topic(weight=1)}
    works, slots = Works(), Slots(1, topics)
    for topic in topics:
        offer(slots, works, topic, 100)
    for _ in range(70):
        await turn_loop()
        (name,) = works.running
        works.running[name].set()
    await turn_loop()
    for topic, share in {MESSAGES: 40, STATUSES: 20, BULK: 10}.items():
        assert abs(works.begun[topic] - share) <= 1


async def test_topic_at_its_limit_saves_up_no_turns() -> None:
    """However long it was held back, the others keep their proportion meanwhile and afterwards."""
    topics = {CALLS: Topic(concurrency=1), MESSAGES: Topic(weight=4), BULK: Topic()}
    works, slots = Works(), Slots(3, topics)
    for topic in topics:
        offer(slots, works, topic, 300)
    for turn in range(300):
        await turn_loop()
        others = [name for name in works.running if not name.startswith(CALLS)]
        calls = [name for name in works.running if name.startswith(CALLS)]
        works.running[others[0]].set()
        if calls and turn % 10 == 0:
            works.running[calls[0]].set()
    assert 3.5 < works.begun[MESSAGES] / works.begun[BULK] < 4.5


async def test_topic_that_was_idle_saves_up_no_turns() -> None:
    """When it has work again it takes turns with the others, rather than all of them until it has caught up."""
    works, slots = Works(), Slots(1, ALIKE)
    offer(slots, works, MESSAGES, 100)
    for _ in range(50):
        await turn_loop()
        (name,) = works.running
        works.running[name].set()
    offer(slots, works, STATUSES, 100)
    for _ in range(20):
        await turn_loop()
        (name,) = works.running
        works.running[name].set()
    assert 9 <= works.begun[STATUSES] <= 11


@given(
    st.integers(1, 12),
    st.dictionaries(
        st.sampled_from([MESSAGES, CALLS, STATUSES, BULK]),
        st.builds(Topic, weight=st.integers(1, 9), concurrency=st.none() | st.integers(1, 12)),
        min_size=1,
    ),
    st.integers(0, 40),
)
def test_slots_are_never_idle_nor_too_many(limit: int, topics: Mapping[str, Topic], each: int) -> None:
    """Whatever the shares: no more than the limit run, every topic can start something, and in the end all was run."""

    async def run() -> None:
        works, slots = Works(), Slots(limit, topics)
        for topic in topics:
            offer(slots, works, topic, each)
        left = each * len(topics)
        while left:
            await turn_loop()
            assert 0 < len(works.running) <= limit
            for topic, settings in topics.items():
                assert works.of(topic) <= (settings.concurrency or limit)
            await works.finish(next(iter(works.running)))
            left -= 1
        assert not works.running

    asyncio.run(run())


async def test_closed_slots_start_nothing() -> None:
    """After the end, what waits for a slot is not begun, and neither is what is offered still."""
    works, slots = Works(), Slots(1, ALIKE)
    slots.offer(lane("running"), works)
    slots.offer(lane("waiting"), works)
    await turn_loop()
    slots.close()
    slots.offer(lane("late", STATUSES), works)
    await works.finish("running")
    assert works.finished == ["running"]
    assert works.running == {}


async def test_lane_that_is_offered_again_goes_behind_the_others() -> None:
    """Those that have waited for a slot are first, also if its work offers it."""
    works, slots = Works(), Slots(1, ALIKE)
    for name in "ab":
        slots.offer(lane(name), works)
    await turn_loop()
    slots.offer(lane("a"), works)
    for name in "aba":
        await works.finish(name)
    assert works.finished == ["a", "b", "a"]


async def test_mistake_of_ours_is_not_silent() -> None:
    """Should the work itself raise, which no handler can cause, the supervised watch raises it."""

    async def broken(_lane: Lane) -> None:
        raise RuntimeError("a mistake")

    slots = Slots(1, ALIKE)
    slots.offer(lane("a"), broken)
    with pytest.raises(RuntimeError, match="a mistake"):
        await slots.wait_failed()


async def test_overdue_work_holds_no_slot() -> None:
    """Others get its slot. As many may be overdue as there are slots; more keep theirs."""
    works, slots = Works(), Slots(2, {MESSAGES: Topic()})
    tasks: list[asyncio.Task[object]] = []

    async def work(lane: Lane) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        await works(lane)

    for name in "abcdefg":
        slots.offer(lane(name), work)
    await turn_loop()
    for number in range(2):
        slots.release_overdue(tasks[number])
        slots.release_overdue(tasks[number])
        await turn_loop()
    assert list(works.running) == ["a", "b", "c", "d"]
    slots.release_overdue(tasks[2])
    await turn_loop()
    assert list(works.running) == ["a", "b", "c", "d"]
    await works.finish("a")
    assert list(works.running) == ["b", "c", "d"], "its slot was given away before"
    slots.release_overdue(tasks[2])
    await turn_loop()
    assert list(works.running) == ["b", "c", "d", "e"]
    for name in "bcdefg":
        await works.finish(name)
    assert sorted(works.finished) == list("abcdefg")
