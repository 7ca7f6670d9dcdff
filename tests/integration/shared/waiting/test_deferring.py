"""Entries that go behind the indexed entries of their lanes."""

import pytest
import redis

from hookline_shared.streams.consume import CONSUMER, WAITING
from hookline_shared.streams.settlements import Settlements
from hookline_shared.streams.waiting.index import (
    Deferral,
    DeferRequest,
)
from hookline_shared.topics import MESSAGES, STATUSES
from tests.integration.shared.waiting.conftest import LANE, Bench
from tests.support.processor.feed import PARTITION, read
from tests.support.storage.keys import keys


async def test_entry_of_a_lane_that_is_not_indexed_stays(bench: Bench) -> None:
    """Unless it is deferred in any case: then its lane is one whose first events are in memory."""
    entries = await bench.read(2)
    assert await bench.defer(entries[0]) is Deferral.NOT_INDEXED
    assert bench.state.keys() == set()
    assert bench.of(CONSUMER) == entries
    assert await bench.defer(entries[1], always=True) is Deferral.DEFERRED_RESUMED
    assert bench.state.entries(MESSAGES, LANE) == entries[1:]
    assert bench.state.resumed(MESSAGES) == {LANE}
    assert bench.of(WAITING) == entries[1:]


@pytest.mark.parametrize("always", [False, True])
async def test_entry_of_a_waiting_lane_goes_behind_it(bench: Bench, always: bool) -> None:
    """All of them in their order, and each once, however often it is asked for."""
    entries = await bench.read(4)
    await bench.wait(entries[0])
    for entry in entries[1:]:
        for _ in range(2):
            assert await bench.defer(entry, always=always) is Deferral.DEFERRED
    assert bench.state.entries(MESSAGES, LANE) == bench.of(WAITING) == entries
    assert bench.state.waiting(MESSAGES) == {LANE: 5}


async def test_entry_of_a_resumed_lane_goes_behind_it(bench: Bench) -> None:
    """Its owner is told that it has to be loaded."""
    entries = await bench.read(3)
    await bench.wait(*entries[:2])
    await bench.resume()
    for _ in range(2):
        assert await bench.defer(entries[2]) is Deferral.DEFERRED_RESUMED
    assert bench.state.entries(MESSAGES, LANE) == entries


async def test_entry_that_was_loaded_before_is_indexed_once(bench: Bench) -> None:
    """A stop leaves loaded entries pending. Listed twice, the second place would be taken for the first one's, and what comes
    between them be skipped."""
    entries = await bench.read(4)
    await bench.wait(*entries)
    await bench.resume()
    await bench.load(last=entries[0])
    requests = [DeferRequest(MESSAGES, LANE, entry, always=True, recovered=True) for entry in entries[1:]]
    for _ in range(2):
        assert await bench.index.defer(requests) == [Deferral.DEFERRED_RESUMED] * 3
        assert bench.state.entries(MESSAGES, LANE) == entries
        assert bench.of(WAITING) == entries[1:]


@pytest.mark.parametrize("number", [5, 60])
async def test_entry_of_a_former_owner_keeps_its_place(bench: Bench, number: int) -> None:
    """It had some of a lane in memory, and put later ones behind them into the index. The next owner lets the first one wait
    before it has read the others: these come before what is indexed already."""
    entries = await bench.read(number + 5)
    in_memory, indexed = entries[:number], entries[number:]
    for entry in indexed:
        await bench.defer(entry, always=True)
    await bench.wait(in_memory[0])
    requests = [DeferRequest(MESSAGES, LANE, entry, always=True, recovered=True) for entry in in_memory[1:]]
    for _ in range(2):
        assert await bench.index.defer(requests) == [Deferral.DEFERRED] * (number - 1)
        assert bench.state.entries(MESSAGES, LANE) == entries
    assert sorted(bench.of(WAITING)) == sorted(entries)


async def test_deferring_in_any_case_twice_is_deferring_once(bench: Bench) -> None:
    """Also where the entry has become the first of its lane by that."""
    (entry,) = await bench.read(1)
    for _ in range(2):
        assert await bench.defer(entry, always=True) is Deferral.DEFERRED_RESUMED
    assert bench.state.entries(MESSAGES, LANE) == bench.of(WAITING) == [entry]


async def test_first_indexed_entry_is_not_deferred(bench: Bench) -> None:
    """It was in the memory of an owner that died, and is now in that of the next one."""
    entries = await bench.read(2)
    await bench.wait(*entries)
    await bench.resume()
    for _ in range(2):
        assert await bench.defer(entries[0]) is Deferral.IS_FIRST
    assert bench.of(CONSUMER) == entries[:1]
    assert bench.state.entries(MESSAGES, LANE) == entries


async def test_entry_before_the_index_is_not_deferred(bench: Bench) -> None:
    """It goes first, so it belongs into memory."""
    entries = await bench.read(3)
    await bench.defer(entries[1], always=True)
    for _ in range(2):
        assert await bench.defer(entries[0], always=True) is Deferral.BEFORE_INDEX
    assert bench.state.entries(MESSAGES, LANE) == entries[1:2]
    assert bench.of(CONSUMER) == [entries[0], entries[2]]


async def test_entry_before_the_index_is_told_by_its_number(bench: Bench, redis_client: "redis.Redis") -> None:
    """The parts of an id are numbers: 9-10 comes before 10-9, and 10-9 before 10-10."""
    numbers = ["9-10", "10-9", "10-10"]
    for number in numbers:
        redis_client.xadd(keys.topic(PARTITION, MESSAGES), {"v": "1"}, id=number)
    await read(bench.consumer)
    await bench.wait("10-9")
    assert await bench.defer("9-10") is Deferral.BEFORE_INDEX
    assert await bench.defer("10-10") is Deferral.DEFERRED


async def test_settled_entry_is_not_deferred(bench: Bench) -> None:
    """It is nowhere, and that is right."""
    entries = await bench.read(2)
    await bench.wait(entries[0])
    await bench.consumer.settle(Settlements(done={MESSAGES: entries[1:]}))
    assert await bench.defer(entries[1]) is Deferral.DEFERRED
    assert bench.state.entries(MESSAGES, LANE) == entries[:1]


@pytest.mark.parametrize("always", [False, True])
async def test_entry_without_a_body_is_told(bench: Bench, redis_client: "redis.Redis", always: bool) -> None:
    """Redis 7 removes it when it is given to another consumer; older versions keep it, and it is told when it is loaded."""
    entries = await bench.read(2)
    await bench.wait(entries[0])
    redis_client.xdel(keys.topic(PARTITION, MESSAGES), entries[1])
    result = await bench.defer(entries[1], always=always)
    gone = [entries[1]] if result is Deferral.GONE else []
    assert [*bench.state.consumers(MESSAGES), *gone] == entries
    assert bench.state.entries(MESSAGES, LANE) == [entry for entry in entries if entry not in gone]


async def test_many_are_deferred_at_once(bench: Bench) -> None:
    """Each has its own answer, in the order of the requests."""
    entries = await bench.read(4)
    await bench.wait(entries[1])
    requests = [
        DeferRequest(MESSAGES, lane, entry, always)
        for lane, entry, always in (
            (LANE, entries[0], False),
            (LANE, entries[2], False),
            ("other", entries[3], False),
            ("other", entries[3], True),
        )
    ]
    assert await bench.index.defer(requests) == [
        Deferral.BEFORE_INDEX,
        Deferral.DEFERRED,
        Deferral.NOT_INDEXED,
        Deferral.DEFERRED_RESUMED,
    ]
    assert await bench.index.defer([]) == []


async def test_entry_of_an_unordered_topic_is_deferred_by_nobody(bench: Bench) -> None:
    """It is resumed, or it is not."""
    entries = await bench.read(2, STATUSES)
    await bench.wait(entries[0], lane=entries[0], topic=STATUSES)
    await bench.resume(topic=STATUSES)
    assert await bench.defer(entries[0], lane=entries[0], topic=STATUSES) is Deferral.IS_FIRST
    assert await bench.defer(entries[1], lane=entries[1], topic=STATUSES) is Deferral.NOT_INDEXED
