"""Lanes that do not wait any more."""

from math import inf

import redis

from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import CONSUMER, WAITING
from hookline_shared.streams.settlements import Settlements
from hookline_shared.streams.waiting.index import (
    Resumed,
    ResumeRequest,
)
from hookline_shared.topics import MESSAGES, STATUSES
from tests.integration.shared.waiting.conftest import BREAKER, LANE, PLENTY, Bench
from tests.support.processor.events import event
from tests.support.processor.feed import PARTITION
from tests.support.storage.keys import keys
from tests.support.storage.stored import Stored


async def test_due_lanes_are_resumed(bench: Bench) -> None:
    """The earliest first, as many as asked for; the owner learns what is left, and when."""
    entries = await bench.read(4)
    for number, entry in enumerate(entries):
        await bench.wait(entry, lane=f"lane{number}", time=10 * (4 - number))
    answer = await bench.resume(30, most=2)
    assert [(lane.lane, lane.first.id) for lane in answer.lanes] == [("lane3", entries[3]), ("lane2", entries[2])]
    assert (answer.left, answer.next_ms, answer.resumed) == (2, 30, 2)
    assert bench.of(CONSUMER) == entries[2:]
    answer = await bench.resume(30)
    assert [lane.lane for lane in answer.lanes] == ["lane1"]
    assert (answer.left, answer.next_ms, answer.resumed) == (1, 40, 3)
    assert await bench.resume(39) == Resumed([], 1, 40, 3)


async def test_first_entry_comes_with_what_is_known(bench: Bench, stored: Stored) -> None:
    """Its fields, whether it was in memory, and how many are behind it, which stay in Redis."""
    entries = await bench.read(3)
    await bench.wait(*entries)
    (lane,) = (await bench.resume()).lanes
    assert (lane.lane, lane.behind, lane.first.id, lane.first.was_in_memory) == (LANE, 2, entries[0], False)
    assert (entries[0], lane.first.fields) == stored.entries(PARTITION, MESSAGES)[0]
    assert lane.first.record is None
    assert (bench.of(CONSUMER), bench.of(WAITING)) == (entries[:1], entries[1:])


async def test_impossible_times_are_due(bench: Bench) -> None:
    """A clock was wrong when they were written: nobody waits for so long."""
    entries = await bench.read(3)
    for number, entry in enumerate(entries):
        await bench.wait(entry, lane=f"lane{number}", time=100 * (number + 1))
    answer = await bench.resume(0, implausible=200)
    assert [lane.lane for lane in answer.lanes] == ["lane2"]
    assert (answer.left, answer.next_ms) == (2, 100)
    assert (await bench.resume(0, implausible=199, most=0)).lanes == []
    assert [lane.lane for lane in (await bench.resume(100, implausible=150, most=1)).lanes] == ["lane0"]


async def test_condition_ends_for_as_many_as_asked_for(bench: Bench) -> None:
    """Its name is forgotten with the last of them."""
    entries = await bench.read(3)
    for number, entry in enumerate(entries):
        await bench.wait(entry, lane=f"lane{number}", time=100, condition=BREAKER)
    assert len((await bench.resume(inf, most=1, condition=BREAKER)).lanes) == 1
    assert bench.state.conditions() == {f"{MESSAGES}:{BREAKER}"}
    answer = await bench.resume(inf, condition=BREAKER)
    assert (len(answer.lanes), answer.left, answer.next_ms, answer.resumed) == (2, 0, inf, 3)
    assert bench.state.conditions() == set()
    assert await bench.resume(inf, condition="pause:gone") == Resumed([], 0, inf, 3)


async def test_answer_is_bounded_by_bytes(bench: Bench, broker: RedisConnectionManager) -> None:
    """One entry comes whatever its size; the others wait on, for all requests together."""
    size = len(event().body)
    entries = await bench.read(6)
    for number, entry in enumerate(entries):
        await bench.wait(entry, lane=f"lane{number}", condition="" if number < 3 else BREAKER)
    requests = [ResumeRequest(MESSAGES, condition, inf, inf, 10) for condition in ("", BREAKER)]
    for most_bytes, expected in ((1, [1, 0]), (size, [1, 0]), (PLENTY, [1, 3])):
        answers = await bench.index.resume(requests, most_bytes)
        assert [len(answer.lanes) for answer in answers] == expected
    assert bench.state.waiting(MESSAGES) == bench.state.waiting(MESSAGES, BREAKER) == {}


async def test_settled_entries_are_skipped(bench: Bench) -> None:
    """Those that a version settled that does not know the index: the next one is first, and a lane without any is gone."""
    entries = await bench.read(5)
    await bench.wait(*entries[:4])
    await bench.wait(entries[4], lane="other")
    await bench.consumer.settle(Settlements(done={MESSAGES: [*entries[:2], entries[4]]}))
    answer = await bench.resume()
    assert [(lane.lane, lane.behind, lane.first.id) for lane in answer.lanes] == [(LANE, 1, entries[2])]
    assert (answer.left, answer.resumed) == (0, 1)
    assert bench.state.entries(MESSAGES, LANE) == entries[2:4]
    assert bench.state.entries(MESSAGES, "other") == []


async def test_entry_whose_body_is_gone_is_resumed(bench: Bench, redis_client: "redis.Redis") -> None:
    """It is told and settled like any other; it stays pending until then."""
    entries = await bench.read(2)
    await bench.wait(*entries)
    redis_client.xdel(keys.topic(PARTITION, MESSAGES), *entries)
    (lane,) = (await bench.resume()).lanes
    assert (lane.first.id, lane.first.fields) == (entries[0], None)
    assert list(bench.state.consumers(MESSAGES)) == entries
    assert [(entry.id, entry.fields) for entry in (await bench.load(entries[0])).entries] == [(entries[1], None)]
    for entry in entries:
        await bench.leave(entry)
    assert bench.state.keys() == set()
    assert bench.state.consumers(MESSAGES) == {}


async def test_lost_answer_is_found_again(bench: Bench) -> None:
    """The lanes are known as resumed, and their first entries can be loaded."""
    entries = await bench.read(3)
    await bench.wait(*entries[:2])
    await bench.wait(entries[2], lane="other")
    await bench.resume()
    assert await bench.resume() == Resumed([], 0, inf, 2)
    assert set(await bench.index.resumed(MESSAGES)) == {LANE, "other"}
    loaded = await bench.load(most=1)
    assert [(entry.id, entry.was_in_memory) for entry in loaded.entries] == [(entries[0], True)]
    assert loaded.more
    assert await bench.index.resumed(STATUSES) == []
