"""The clock that tests turn by hand is a clock."""

import asyncio

from hookline_shared.clock import Clock, SystemClock
from tests.support.time.manual_clock import ManualClock


def as_clock(clock: Clock) -> Clock:
    return clock


async def test_time_stands_still_until_it_is_turned() -> None:
    """Both readings move by what the clock was turned, and by nothing else."""
    clock = as_clock(ManualClock(now_ms=1000))
    assert (clock.now_ms(), clock.monotonic()) == (1000, 0.0)
    assert isinstance(clock, ManualClock)
    await clock.advance(1.5)
    assert (clock.now_ms(), clock.monotonic()) == (2500, 1.5)


async def test_sleepers_wake_in_the_order_in_which_they_are_due() -> None:
    """Whoever sleeps wakes at its time, not before, and sees that time."""
    clock = ManualClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as tasks:
        for name, seconds in (("late", 3.0), ("early", 1.0), ("never late", 1.0)):
            tasks.create_task(sleeper(name, seconds))
        await clock.wait_for_sleepers(3)
        await clock.advance(0.5)
        assert woken == []
        await clock.advance(10)
    assert woken == [("early", 1.0), ("never late", 1.0), ("late", 3.0)]


async def test_sleeps_begun_on_the_way_count() -> None:
    """A loop that sleeps a second at a time turns ten times in ten seconds."""
    clock = ManualClock()
    turns: list[float] = []

    async def loop() -> None:
        while True:
            await clock.sleep(1)
            turns.append(clock.monotonic())

    task = asyncio.create_task(loop())
    await clock.advance(10)
    task.cancel()
    assert turns == [float(second) for second in range(1, 11)]


async def test_cancelled_sleeper_and_call_are_forgotten() -> None:
    """Nothing happens at the time of what was cancelled."""
    clock = ManualClock()
    calls: list[str] = []
    sleeper = asyncio.create_task(clock.sleep(1))
    clock.call_later(1, lambda: calls.append("cancelled")).cancel()
    clock.call_later(2, lambda: calls.append("made"))
    await clock.wait_for_sleepers(2)
    sleeper.cancel()
    await asyncio.gather(sleeper, return_exceptions=True)
    assert clock.waiting == 1
    await clock.advance(5)
    assert calls == ["made"]


async def test_system_clock_is_a_clock() -> None:
    """The machine's own clock goes forward, sleeps and calls."""
    clock = as_clock(SystemClock())
    before = clock.monotonic()
    called = asyncio.Event()
    clock.call_later(0, called.set)
    clock.call_later(60, called.clear).cancel()
    await clock.sleep(0)
    await called.wait()
    assert clock.monotonic() >= before
    assert clock.now_ms() > 1_700_000_000_000
