"""Who should own which partition."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hookline_processor.ownership.assignment import assign

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
PRESENT = st.lists(NAMES, unique=True, min_size=1)
PARTITIONS = st.integers(1, 20)
OWNERS = st.dictionaries(st.integers(0, 19), NAMES)


def kept(before: dict[int, str], after: dict[int, str]) -> int:
    """Return how many partitions stay where they are."""
    return sum(after.get(number) == owner for number, owner in before.items())


@given(PARTITIONS, OWNERS, PRESENT)
def test_every_partition_has_one_present_owner_and_shares_are_even(
    partitions: int, owners: dict[int, str], present: list[str]
) -> None:
    """No partition is left out, whoever owned it, and no processor has two more than another."""
    assigned = assign(partitions, owners, present)
    assert sorted(assigned) == list(range(partitions))
    shares = Counter(assigned.values())
    assert set(shares) <= set(present)
    assert max(shares[name] for name in present) - min(shares[name] for name in present) <= 1


@given(PARTITIONS, OWNERS, PRESENT)
def test_it_moves_no_more_than_it_must(partitions: int, owners: dict[int, str], present: list[str]) -> None:
    """What stays is as much as any even division can leave: each keeps its share, those that hold most the larger ones."""
    before = {number: owner for number, owner in owners.items() if number < partitions and owner in present}
    share, left_over = divmod(partitions, len(present))
    held = sorted((Counter(before.values())[name] for name in present), reverse=True)
    possible = sum(min(count, share + (rank < left_over)) for rank, count in enumerate(held))
    assert kept(before, assign(partitions, owners, present)) == possible


@given(PARTITIONS, OWNERS, PRESENT)
def test_it_is_final(partitions: int, owners: dict[int, str], present: list[str]) -> None:
    """Once partitions are where they should be, nothing moves any more, and the order of names does not matter."""
    assigned = assign(partitions, owners, present)
    assert assign(partitions, assigned, sorted(present, reverse=True)) == assigned


def test_a_newcomer_gets_its_share_from_those_that_have_most() -> None:
    """Of 8 partitions a third processor gets 2; the others keep 3 each."""
    owners = dict.fromkeys(range(4), "a") | dict.fromkeys(range(4, 8), "b")
    assert assign(8, owners, ["a", "b", "c"]) == owners | {3: "c", 7: "c"}


def test_nobody_is_there() -> None:
    """Then nobody can own anything."""
    assert assign(8, {0: "a"}, []) == {}
