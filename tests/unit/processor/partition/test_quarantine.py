"""Events that may be what the process dies of, one at a time."""

import pytest

from hookline_processor.partition.lanes import Lane
from hookline_processor.partition.quarantine import Quarantine
from tests.support.time.manual_clock import ManualClock

FIRST, SECOND = (Lane("messages", key) for key in "ab")


@pytest.fixture
async def quarantine(clock: ManualClock) -> Quarantine:
    """Return a quarantine without any lane."""
    return Quarantine(clock)


async def test_only_one_at_a_time(quarantine: Quarantine) -> None:
    """The first is admitted, the others when it has left."""
    assert quarantine.enter(FIRST)
    assert not quarantine.enter(SECOND)
    quarantine.leave(FIRST)
    assert quarantine.enter(SECOND)
    assert not quarantine.enter(FIRST)


async def test_who_never_came_changes_nothing(quarantine: Quarantine) -> None:
    """Leaving is safe for every lane."""
    assert quarantine.enter(FIRST)
    quarantine.leave(SECOND)
    assert not quarantine.enter(SECOND)


async def test_one_that_never_ends_lets_others_in_after_a_while(quarantine: Quarantine, clock: ManualClock) -> None:
    """A plain function may hang for ever; it has not brought the process down by then. When it ends, the others stay."""
    assert quarantine.enter(FIRST)
    await clock.advance(59)
    assert not quarantine.enter(SECOND)
    await clock.advance(1)
    assert quarantine.enter(SECOND)
    quarantine.leave(FIRST)
    assert not quarantine.enter(FIRST)


async def test_stay_is_measured_for_each_lane(quarantine: Quarantine, clock: ManualClock) -> None:
    """A lane that comes after another one stays as long as that one might have."""
    assert quarantine.enter(FIRST)
    await clock.advance(30)
    quarantine.leave(FIRST)
    assert quarantine.enter(SECOND)
    await clock.advance(59)
    assert not quarantine.enter(FIRST)
    quarantine.leave(SECOND)
    assert clock.waiting == 0
