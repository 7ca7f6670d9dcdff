"""How many handlers run at once, and when."""

import asyncio

import pytest

from processor.lanes import Lane
from processor.slots import Slots
from tests.support.manual_clock import ManualClock


async def turn_loop() -> None:
    """Let every task run until all of them wait."""
    for _ in range(10):
        await asyncio.sleep(0)


class Works:
    """Work that begins and ends when the test says."""

    def __init__(self) -> None:
        self.running: dict[str, asyncio.Event] = {}
        self.finished: list[str] = []

    async def __call__(self, lane: Lane) -> None:
        name = lane.name[1]
        end = self.running[name] = asyncio.Event()
        try:
            await end.wait()
            self.finished.append(name)
        finally:
            del self.running[name]

    async def finish(self, name: str) -> None:
        self.running[name].set()
        await turn_loop()


def lane(name: str) -> Lane:
    return Lane(("messages", name))


async def test_no_more_than_the_limit_run_at_once() -> None:
    """Lanes beyond the limit wait for a slot, and get it in the order in which they were offered."""
    works, slots = Works(), Slots(2, ManualClock())
    for name in "abcd":
        slots.offer(lane(name), 0, works)
    await turn_loop()
    assert list(works.running) == ["a", "b"]
    await works.finish("b")
    assert list(works.running) == ["a", "c"]
    await works.finish("a")
    await works.finish("c")
    await works.finish("d")
    assert works.finished == ["b", "a", "c", "d"]


async def test_retry_runs_at_its_time_and_holds_no_slot_before() -> None:
    """A lane that waits for its retry leaves its slot to others, and runs when its time has come."""
    clock = ManualClock()
    works, slots = Works(), Slots(1, clock)
    slots.offer(lane("later"), clock.now_ms() + 5000, works)
    slots.offer(lane("now"), 0, works)
    await turn_loop()
    assert list(works.running) == ["now"]
    assert slots.retrying() == {"messages": 1}
    await works.finish("now")
    await clock.advance(4.9)
    assert list(works.running) == []
    await clock.advance(0.1)
    assert list(works.running) == ["later"]
    assert slots.retrying() == {}


async def test_closed_slots_start_nothing() -> None:
    """After the end, what waits for a slot or a retry is not begun."""
    clock = ManualClock()
    works, slots = Works(), Slots(1, clock)
    slots.offer(lane("running"), 0, works)
    slots.offer(lane("waiting"), 0, works)
    slots.offer(lane("retry"), clock.now_ms() + 1, works)
    await turn_loop()
    slots.close()
    await works.finish("running")
    await clock.advance(1)
    assert works.finished == ["running"]
    assert works.running == {}


async def test_mistake_of_ours_is_not_silent() -> None:
    """Should the work itself raise, which no handler can cause, the supervised watch raises it."""

    async def broken(_lane: Lane) -> None:
        raise RuntimeError("a mistake")

    slots = Slots(1, ManualClock())
    slots.offer(lane("a"), 0, broken)
    with pytest.raises(RuntimeError, match="a mistake"):
        await slots.watch()
