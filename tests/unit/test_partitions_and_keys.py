"""Where events lie in Redis."""

import inspect
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline_shared import keys
from hookline_shared.partitions import partition_of, ranges

KEYS_OF_A_PARTITION: list[tuple[Callable[..., str], tuple[str | int, ...]]] = [
    (keys.topic, ("messages",)),
    (keys.seen, ("AC1:message.received:SM1",)),
    (keys.retries, ()),
    (keys.lease, ()),
    (keys.token, ("host:1:abcd", 5)),
    (keys.dead, ()),
    (keys.ledger, ()),
    (keys.discarded, ()),
    (keys.probe, ()),
    (keys.limit, ("sender", "0" * 32)),
]


@pytest.mark.parametrize(
    ("key", "partition"),
    [
        ("", 0),
        ("123456789", 6),  # the check value of CRC-32 is 0xCBF43926
        ("+14155550123:+18005551212", 6),
        ("SM00000000000000000000000000000001", 0),
        ("ü🙂", 1),
    ],
)
def test_known_partitions(key: str, partition: int) -> None:
    """The partition of a key never changes between versions: data that lies in Redis must stay where it is looked for."""
    assert partition_of(key, 8) == partition


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 1024))
def test_partition_is_in_range(key: str, partitions: int) -> None:
    """Every key has one of the partitions that exist."""
    assert partition_of(key, partitions) in range(partitions)
    assert partition_of(key, partitions) == partition_of(key, partitions)


def test_partitions_share_the_load() -> None:
    """Many conversations spread over all partitions, none getting twice its share."""
    partitions = [partition_of(f"+1415555{number:04}:+18005551212", 8) for number in range(8000)]
    assert all(500 < partitions.count(partition) < 2000 for partition in range(8))


@pytest.mark.parametrize(("make", "rest"), KEYS_OF_A_PARTITION)
def test_keys_of_a_partition_share_a_cluster_slot(make: Callable[..., str], rest: tuple[str | int, ...]) -> None:
    """The first braces of every key hold the partition alone, so one script may touch all keys of a partition."""
    key = make(7, *rest)
    assert key.startswith("hookline:{7}:")


def test_braces_in_a_dedupe_key_do_not_move_it() -> None:
    """Redis Cluster looks at the first braces only, so no content can move a key to another slot."""
    assert keys.seen(3, "{evil}:{0}").startswith("hookline:{3}:seen:")


def test_every_key_is_checked_here() -> None:
    """A key that is added to shared.keys must be added to these tests."""
    functions = {function for _, function in inspect.getmembers(keys, inspect.isfunction)}
    assert functions == {make for make, _ in KEYS_OF_A_PARTITION}


def test_keys_do_not_collide() -> None:
    """No two keys of a partition are the same, even for awkward topics and dedupe keys."""
    made = [make(0, *rest) for make, rest in KEYS_OF_A_PARTITION]
    assert len(set(made)) == len(made)
    assert keys.LAYOUT not in made


def test_ranges() -> None:
    """Neighbours are named by the first and the last, however they come."""
    assert ranges([8, 0, 1, 2, 5, 7]) == "0-2, 5, 7-8"
    assert ranges([]) == ""
