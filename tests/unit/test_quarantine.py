"""Events that may be what the process dies of, one at a time."""

from processor.lanes import Lane
from processor.quarantine import Quarantine


def test_one_at_a_time() -> None:
    """The others are called again when it is left, in the order in which they came."""
    quarantine, called = Quarantine(), list[Lane]()
    first, second, third = (Lane("messages", key) for key in "abc")
    assert quarantine.enter(first, called.append)
    assert not quarantine.enter(second, called.append)
    assert not quarantine.enter(third, called.append)
    quarantine.leave(first)
    assert called == [second, third]
    assert quarantine.enter(second, called.append)


def test_who_leaves_while_waiting_is_not_called() -> None:
    """As a lane does whose partition is somebody else's by now."""
    quarantine, called = Quarantine(), list[Lane]()
    first, second = (Lane("messages", key) for key in "ab")
    quarantine.enter(first, called.append)
    quarantine.enter(second, called.append)
    quarantine.leave(second)
    quarantine.leave(first)
    assert called == []
    assert quarantine.enter(second, called.append)


def test_who_never_came_changes_nothing() -> None:
    """Leaving is safe for every lane."""
    quarantine = Quarantine()
    inside = Lane("messages", "a")
    quarantine.enter(inside, lambda _lane: None)
    quarantine.leave(Lane("messages", "b"))
    assert not quarantine.enter(Lane("messages", "c"), lambda _lane: None)
