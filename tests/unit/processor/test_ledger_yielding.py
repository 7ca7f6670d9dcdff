"""How long the ledger waits for the handlers."""

import asyncio
from collections.abc import Callable

from hookline_processor.ledger.yielding import yield_to_handlers
from tests.support.time.manual_clock import ManualClock


class LateClock(ManualClock):
    """Wakes sleepers when three times their time is over."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(3 * seconds)


async def rest(clock: ManualClock, took_s: float, use: float) -> float:
    """Return when it goes on after `took_s`, while the others use that part of the time."""
    task = asyncio.create_task(yield_to_handlers(took_s, clock, _used(clock, use)))
    for _ in range(10_000):
        if task.done():
            break
        await clock.advance(0.004)
    await task
    return clock.monotonic()


def _used(clock: ManualClock, share: float) -> Callable[[], float]:
    return lambda: clock.monotonic() * share


async def test_nobody_wants_the_time(clock: ManualClock) -> None:
    """While handlers have nothing to do, the ledger writes nearly without a pause."""
    assert await rest(clock, took_s=0.05, use=0.1) < 0.01


async def test_handlers_want_the_time(clock: ManualClock) -> None:
    """While handlers are busy they get nine times what the ledger took, but never more than a second at once."""
    assert 0.4 < await rest(clock, took_s=0.05, use=0.9) < 0.5
    before = clock.monotonic()
    assert 0.9 < await rest(clock, took_s=60, use=0.9) - before < 1.1


async def test_machine_is_short_of_time() -> None:
    """A loop that comes late is busy, however little time it was given."""
    assert await rest(LateClock(), took_s=0.05, use=0.1) > 0.4
