"""What the parts of a processor know of its partitions while it stops."""

from typing import Any, cast

from hookline_processor.ownership.owned_partitions import OwnedPartitions


class Owner:
    """Stands in for the ownership: the partitions are those that a test says; who has the first one leads."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)

    @property
    def leads(self) -> bool:
        """Whether it has the first partition."""
        return 0 in self.numbers


def test_partitions_are_those_of_now_until_the_stop() -> None:
    """Alerts of the leader do not resolve, and the ledger flushes what was owned, though partitions are handed over."""
    owner = Owner(1)
    owned = OwnedPartitions(cast(Any, owner))
    assert (owned.numbers, owned.is_leader()) == ([1], False)
    owner.numbers = [0, 2]
    assert (owned.numbers, owned.is_leader()) == ([0, 2], True)
    owned.freeze()
    owner.numbers = []
    assert (owned.numbers, owned.is_leader()) == ([0, 2], True)
