"""Where events lie in Redis."""

import inspect
from collections.abc import Callable
from fnmatch import fnmatchcase

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from redis.crc import key_slot

from hookline_shared.partitions import partition_of, ranges
from hookline_shared.redis_keys import DEFAULT_PREFIX, Keys, check_prefix
from hookline_shared.topics import _TAKEN
from tests.support.storage.keys import keys

OTHERS = Keys("staging")
KEYS_OF_A_PARTITION: list[tuple[Callable[..., str], tuple[str | int, ...]]] = [
    (keys.topic, ("messages",)),
    (keys.seen, ("AC1:message.received:SM1",)),
    (keys.signed, ("RSOYDt4T1cUTdK1PDd93/VVr8B8=",)),
    (keys.sent, ("n4bQgYhMfWWaL-qgxVrQFa",)),
    (keys.sid, ("SM1",)),
    (keys.retries, ()),
    (keys.lease, ()),
    (keys.token, ("host:1:abcd", 5)),
    (keys.dead, ()),
    (keys.ledger, ()),
    (keys.discarded, ()),
    (keys.probe, ()),
    (keys.limit, ("sender", "0" * 32)),
    (keys.space, ()),
    (keys.waiting, ("messages",)),
    (keys.conditions, ()),
    (keys.resumed, ("messages",)),
    (keys.memory, ("0" * 32,)),
    (keys.answer, ("n4bQgYhMfWWaL-qgxVrQFa",)),
    (keys.answers, ()),
    (keys.cookies, ("0" * 32,)),
    (keys.marks, ()),
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
    """The partition of a key never changes between versions: data that is in Redis must stay where it is looked for."""
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


def test_default_keys_are_what_they_always_were() -> None:
    """Data that an older version wrote is found by a newer one that was told no prefix, byte for byte."""
    assert (DEFAULT_PREFIX, keys.layout, keys.processors) == ("hookline", "hookline:layout", "hookline:processors")
    assert [make(7, *rest) for make, rest in KEYS_OF_A_PARTITION] == [
        "hookline:{7}:messages",
        "hookline:{7}:seen:AC1:message.received:SM1",
        "hookline:{7}:signed:RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        "hookline:{7}:sent:n4bQgYhMfWWaL-qgxVrQFa",
        "hookline:{7}:sid:SM1",
        "hookline:{7}:retries",
        "hookline:{7}:lease",
        "hookline:{7}:lease:host:1:abcd:5",
        "hookline:{7}:dead",
        "hookline:{7}:ledger",
        "hookline:{7}:discarded",
        "hookline:{7}:probe",
        "hookline:{7}:limit:sender:00000000000000000000000000000000",
        "hookline:{7}:",
        "hookline:{7}:waiting:messages",
        "hookline:{7}:conditions",
        "hookline:{7}:resumed:messages",
        "hookline:{7}:memory:" + "0" * 32,
        "hookline:{7}:answer:n4bQgYhMfWWaL-qgxVrQFa",
        "hookline:{7}:answers",
        "hookline:{7}:cookies:" + "0" * 32,
        "hookline:{7}:marks",
    ]


@pytest.mark.parametrize("make", [make for make, _ in KEYS_OF_A_PARTITION])
def test_prefixes_differ_in_the_prefix_alone(make: Callable[..., str]) -> None:
    """A prefix is what a key begins with and nothing more: a partition's keys have the slot that they have without."""
    rest = next(rest for one, rest in KEYS_OF_A_PARTITION if one is make)
    other: str = getattr(OTHERS, make.__name__)(7, *rest)
    assert other == "staging" + make(7, *rest).removeprefix(DEFAULT_PREFIX)
    assert key_slot(other.encode()) == key_slot(make(7, *rest).encode())


PREFIXES = st.text("aZ0._-", min_size=1, max_size=64)


@given(PREFIXES, PREFIXES)
def test_no_prefix_reaches_into_another(one: str, other: str) -> None:
    """The pattern of one installation's ACL matches no key of another, also if its prefix begins like that one's."""
    assume(check_prefix(one) != check_prefix(other))
    other_keys = Keys(other)
    made = [other_keys.layout, other_keys.processors, other_keys.topics, other_keys.about("a"), other_keys.topic(0, "messages")]
    assert not any(fnmatchcase(key, f"{one}:*") for key in made)


@pytest.mark.parametrize(
    "prefix", ["", " ", "a b", "a:b", "{a}", "a{", "a}", "a*", "a?", "[a]", "a\\", "a\n", "a\x00", "ü", "a/b", "a" * 65]
)
def test_bad_prefix(prefix: str) -> None:
    """Nothing moves the hash tag, matches others' keys, or makes every key long."""
    with pytest.raises(
        ValueError, match=r"it (may have letters, digits, '-', '_' and '.', and nothing else|has 65 characters)"
    ):
        check_prefix(prefix)


def test_every_key_is_checked_here() -> None:
    """A key that is added to `Keys` must be added to these tests."""
    functions = {method for name, method in inspect.getmembers(keys, inspect.ismethod) if not name.startswith("_")}
    assert functions == {make for make, _ in KEYS_OF_A_PARTITION} | {keys.about}


def test_publications_are_in_the_slot_of_the_heartbeats() -> None:
    """One script writes both, also in a cluster."""
    for one in (keys, Keys("staging")):
        assert key_slot(one.about("web-1:7:ab").encode()) == key_slot(one.processors.encode())


def test_keys_do_not_collide() -> None:
    """No two keys of a partition are the same, even for awkward topics and dedupe keys."""
    made = [make(0, *rest) for make, rest in KEYS_OF_A_PARTITION]
    assert len(set(made)) == len(made)
    assert {keys.layout, keys.processors, keys.pauses}.isdisjoint(made)
    assert keys.waiting(0, "messages", "breaker:crm") == keys.waiting(0, "messages") + ":breaker:crm"


def test_no_topic_takes_the_name_of_another_key() -> None:
    """Its stream would be that key."""
    names = {make(0, *rest).removeprefix(keys.space(0)) for make, rest in KEYS_OF_A_PARTITION if make != keys.topic}
    assert {name for name in names if name and ":" not in name} <= set(_TAKEN)


def test_ranges() -> None:
    """Neighbours are named by the first and the last, however they come."""
    assert ranges([8, 0, 1, 2, 5, 7]) == "0-2, 5, 7-8"
    assert ranges([]) == ""
