"""Who may use the waiting index, and when: the owner alone, also while Redis has no memory, and after a takeover."""

from collections.abc import Awaitable, Callable
from math import inf

import pytest
import redis

from hookline_shared.errors import FencedError
from hookline_shared.streams.consume import CONSUMER, WAITING
from hookline_shared.streams.waiting.index import (
    Deferral,
    Resumed,
)
from hookline_shared.topics import MESSAGES, STATUSES
from tests.integration.shared.waiting.conftest import BREAKER, LANE, Bench, ids
from tests.support.processor.feed import PARTITION, PENDING, read
from tests.support.storage.keys import keys


async def test_former_owner_changes_nothing(bench: Bench, successor: Bench) -> None:
    """Each call is refused as a whole."""
    entries = await successor.read(3)
    await successor.wait(*entries[:2])
    before = successor.state.consumers(MESSAGES)
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: bench.wait(entries[2], lane="other"),
        lambda: bench.leave(entries[0]),
        lambda: bench.defer(entries[2]),
        lambda: bench.defer(entries[2], always=True),
        lambda: bench.resume(inf),
        bench.load,
        bench.consumer.adopt,
    ]
    for call in calls:
        with pytest.raises(FencedError):
            await call()
    assert successor.state.consumers(MESSAGES) == before
    assert successor.state.entries(MESSAGES, LANE) == entries[:2]
    assert successor.state.waiting(MESSAGES) == {LANE: 5}
    assert successor.state.resumed(MESSAGES) == set()


async def test_index_works_without_memory(bench: Bench, without_memory: Callable[[], object]) -> None:
    """Otherwise nothing could be handled, and no memory would come free."""
    entries = await bench.read(4)
    single = (await bench.read(1, STATUSES))[0]
    without_memory()
    await bench.wait(*entries[:2], condition=BREAKER)
    await bench.wait(single, lane=single, topic=STATUSES)
    assert await bench.defer(entries[2]) is Deferral.DEFERRED
    assert await bench.defer(entries[3], lane="other", always=True) is Deferral.DEFERRED_RESUMED
    assert len((await bench.resume(inf, condition=BREAKER)).lanes) == 1
    assert len((await bench.resume(topic=STATUSES)).lanes) == 1
    assert ids(await bench.load(entries[0])) == entries[1:3]
    for entry, lane in zip(entries, (LANE, LANE, LANE, "other"), strict=True):
        await bench.leave(entry, lane)
    await bench.leave(single, single, STATUSES)
    assert bench.state.keys() == set()


@pytest.mark.parametrize("call", ["settle", "defer", "resume", "load", "adopt"])
async def test_first_call_without_memory_works(bench: Bench, without_memory: Callable[[], object], call: str) -> None:
    """Whichever it is: none of them depends on another to have freed some."""
    entries = await bench.read(2)
    await bench.wait(entries[0])
    without_memory()
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "settle": lambda: bench.wait(entries[1], lane="other"),
        "defer": lambda: bench.defer(entries[1]),
        "resume": bench.resume,
        "load": bench.load,
        "adopt": bench.consumer.adopt,
    }
    await calls[call]()


async def test_adopting_leaves_what_waits_alone(bench: Bench, redis_client: "redis.Redis") -> None:
    """Also where somebody has claimed a part of it by hand: that is in memory then, and settled from there."""
    entries = await bench.read(3)
    await bench.wait(*entries)
    assert (await bench.consumer.adopt())[0] == 0
    redis_client.xclaim(keys.topic(PARTITION, MESSAGES), "processor", "curious", 0, [entries[1]])
    assert (await bench.consumer.adopt())[0] == 1
    assert (bench.of(CONSUMER), bench.of(WAITING)) == ([entries[1]], [entries[0], entries[2]])
    assert bench.state.entries(MESSAGES, LANE) == entries


async def test_takeover_finds_all_that_waits(bench: Bench, successor: Bench) -> None:
    """What was in memory is read; what waits is where it was, and its number does not matter."""
    entries = await successor.read(5)
    await successor.wait(*entries[:3])
    await successor.wait(entries[3], lane="other", time=9)
    await successor.resume()
    assert [entry.id for entry in await read(successor.consumer, PENDING)] == [entries[0], entries[4]]
    assert await successor.index.resumed(MESSAGES) == [LANE]
    assert await successor.resume() == Resumed([], 1, 9, 1)
