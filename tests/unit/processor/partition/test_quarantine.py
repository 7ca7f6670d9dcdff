"""Events that may be what the process dies of, one at a time."""

import pytest

from hookline_processor.partition.lanes import Lane
from hookline_processor.partition.quarantine import Quarantine
from tests.support.manual_clock import ManualClock


@pytest.fixture
def quarantine() -> Quarantine:
    """Return one that nobody is in."""
    return Quarantine(ManualClock())


def test_one_at_a_time(quarantine: Quarantine) -> None:
    """The others are called again when it is left, in the order in which they came."""
    called = list[Lane]()
    first, second, third = (Lane("messages", key) for key in "abc")
    assert quarantine.enter(first, called.append)
    assert not quarantine.enter(second, called.append)
    assert not quarantine.enter(third, called.append)
    quarantine.leave(first)
    assert called == [second, third]
    assert quarantine.enter(second, called.append)


def test_who_leaves_while_waiting_is_not_called(quarantine: Quarantine) -> None:
    """As a lane does whose partition is somebody else's by now."""
    called = list[Lane]()
    first, second = (Lane("messages", key) for key in "ab")
    quarantine.enter(first, called.append)
    quarantine.enter(second, called.append)
    quarantine.leave(second)
    quarantine.leave(first)
    assert called == []
    assert quarantine.enter(second, called.append)


def test_who_never_came_changes_nothing(quarantine: Quarantine) -> None:
    """Leaving is safe for every lane."""
    inside = Lane("messages", "a")
    quarantine.enter(inside, lambda _lane: None)
    quarantine.leave(Lane("messages", "b"))
    assert not quarantine.enter(Lane("messages", "c"), lambda _lane: None)


async def test_one_that_never_ends_lets_others_in_after_a_while() -> None:
    """A plain function may hang for ever; it has not brought the process down by then."""
    clock, called = ManualClock(), list[Lane]()
    quarantine = Quarantine(clock)
    hung, other = (Lane("messages", key) for key in "ab")
    quarantine.enter(hung, called.append)
    quarantine.enter(other, called.append)
    await clock.advance(59)
    assert called == []
    await clock.advance(1)
    assert called == [other]
    assert quarantine.enter(other, called.append)
    quarantine.leave(hung)
    assert not quarantine.enter(hung, called.append)
