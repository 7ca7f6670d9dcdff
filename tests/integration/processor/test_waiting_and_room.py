"""Lanes that wait in Redis, and the room in the memory of the partition: neither stands still for the other, nor grows."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from hookline_processor.partition.partition import Partition
from hookline_shared.event import Event
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import Consumer
from hookline_shared.streams.waiting.pauses import Pause
from hookline_shared.topics import MESSAGES, STATUSES
from tests.support.observability.logbook import Logbook
from tests.support.processor.events import key_of
from tests.support.processor.feed import PARTITION, claim, read
from tests.support.processor.partition_bench import WINDOW, Bench
from tests.support.storage.keys import keys
from tests.support.storage.stored import Stored
from tests.support.waiting import until

EVERYTHING = Pause(id="everything", kind="message.*")
_MAKE_DUE = """
for _, lane in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  redis.call('ZREM', KEYS[1], lane)
  redis.call('ZADD', KEYS[2], 1, lane)
end
"""


@pytest.fixture
async def bench(broker: RedisConnectionManager, logbook: Logbook) -> AsyncIterator[Bench]:
    """Yield a partition, not yet started."""
    bench = Bench(broker, logbook)
    yield bench
    await bench.close()


class Calls:
    """The calls of an asynchronous method, each of which waits for one of `permits` while they are `gated`."""

    def __init__(self, owner: Any, name: str) -> None:
        self.number = 0
        self.permits = asyncio.Semaphore(0)
        self.gated = False
        self._original = getattr(owner, name)
        setattr(owner, name, self._call)

    async def _call(self, *arguments: Any) -> Any:
        self.number += 1
        if self.gated:
            await self.permits.acquire()
        return await self._original(*arguments)


async def wait_for_pause(bench: Bench, lanes: int, depth: int = 1) -> Partition:
    """Return a started partition in which so many conversations of so many events wait for the end of a pause."""
    bench.pauses.update([EVERYTHING])
    for _ in range(depth):
        await bench.put_each(lanes)
    partition = await bench.start()
    await until(lambda: waiting(partition) == lanes and in_memory(partition) == 0, "all wait in Redis")
    return partition


def waiting(partition: Partition) -> int:
    return partition._sets.waiting(MESSAGES)


def in_memory(partition: Partition) -> int:
    return partition._room.count(MESSAGES)


def ids(events: Sequence[Event]) -> list[str]:
    return [one.id for one in events]


async def test_paused_topic_stops_no_other(bench: Bench, stored: Stored) -> None:
    """What was pending in it at the start is found all the same, since its waiting events wait for that."""
    bench.pauses.update([Pause(id="statuses", topic=STATUSES)])
    bench.failing = True
    await bench.put(1)
    partition = await bench.start()
    await until(lambda: bench.begun, "it is attempted")
    bench.failing = False
    await until(lambda: stored.events() == [], "it is attempted again")
    await partition.drain(5)


async def test_topic_whose_room_is_full_stops_no_other(bench: Bench, broker: RedisConnectionManager) -> None:
    """After a takeover, the lanes of a topic wait until its own pending entries are known, and not until those of all are."""
    bench.failing, bench.slots = True, 100
    (other,) = await bench.put(1, STATUSES)
    partition = await bench.start()
    await until(lambda: partition._sets.waiting(STATUSES), "it waits for a retry")
    await partition.drain(5)
    bench.begun.clear()
    bench.failing = False
    bench.open.clear()
    await bench.put_each(3 * WINDOW)
    await read(Consumer(broker, PARTITION, [MESSAGES], await claim(broker, force=True)))
    partition = await bench.start()
    await until(lambda: other.id in bench.begun, "the other topic goes on")
    assert len(bench.begun) <= WINDOW + 1
    bench.open.set()
    await until(lambda: len(bench.begun) == 3 * WINDOW + 1, "all are attempted")
    await partition.drain(5)


async def test_thousands_wait_for_one_condition(bench: Bench) -> None:
    """When it is over, they are resumed as fast as they are handled."""
    bench.window = 500
    partition = await wait_for_pause(bench, 5000)
    bench.pauses.update([])
    await until(lambda: len(bench.begun) == 5000, "all are attempted")
    await partition.drain(5)


async def test_long_conversations_take_no_more_than_the_room(bench: Bench, stored: Stored) -> None:
    """Though each has events to be loaded as soon as there is room for one, and the others are due."""
    partition = await wait_for_pause(bench, 20 * WINDOW, depth=4)
    peak, admit = 0, partition._room.admit

    def measure(topic: str, entry_id: str, size: int) -> bool:
        nonlocal peak
        admitted = admit(topic, entry_id, size)
        peak = max(peak, in_memory(partition))
        return admitted

    partition._room.admit = measure  # type: ignore[method-assign]
    bench.pauses.update([])
    await until(lambda: stored.events() == [], "all are handled")
    assert peak <= 2 * WINDOW  # what is read, loaded and resumed at the same time
    await partition.drain(5)


async def test_lanes_that_are_due_while_there_is_no_room(bench: Bench, broker: RedisConnectionManager) -> None:
    """Redis is not asked again and again for what cannot be taken."""
    partition = await wait_for_pause(bench, 10 * WINDOW)
    bench.open.clear()
    paused, timed = (keys.waiting(PARTITION, MESSAGES, condition) for condition in (f"pause:{EVERYTHING.id}", ""))
    await broker.execute("eval", timed, "EVAL", _MAKE_DUE, "2", paused, timed)
    bench.pauses.update([])
    await until(lambda: in_memory(partition) >= WINDOW, "the room is full")
    calls = Calls(partition._waiting._index, "resume")
    for _ in range(500):
        await broker.execute("ping", timed, "EXISTS", timed)
    assert calls.number < 100
    bench.open.set()
    await until(lambda: len(bench.begun) == 10 * WINDOW, "all are attempted")
    await partition.drain(5)


async def test_two_lanes_leave_one_after_the_other(bench: Bench) -> None:
    """Events that were read while their lanes left follow them to Redis, also if the second leaves while the first follows."""
    bench.pauses.update([EVERYTHING])
    partition = await bench.start()
    settle = Calls(partition._settler._consumer, "settle")
    defer = Calls(partition._waiting._index, "defer")
    settle.gated = True
    for nth_key in range(2):
        await bench.put(1, nth_key=nth_key)
        await until(lambda: settle.number == 1 and len(partition._settler._queued) == nth_key + 1, "it is to wait")  # noqa: B023
        await bench.put(1, nth_key=nth_key)
        await until(lambda: in_memory(partition) == 2 * nth_key + 2, "another one is behind it")  # noqa: B023
    defer.number, defer.gated = 0, True
    settle.permits.release()
    await until(lambda: defer.number == 1, "the first lane waits, and the other event follows")
    settle.permits.release()
    await until(lambda: waiting(partition) == 2, "the second lane waits")
    defer.permits.release()
    defer.permits.release()
    await until(lambda: in_memory(partition) == 0, "nothing is in memory")
    await partition.drain(5)


@pytest.mark.parametrize("waits", [False, True])
async def test_long_conversations_with_slow_handlers(bench: Bench, waits: bool) -> None:
    """They leave room for others, also while something waits in the topic, so that every event is looked up."""
    bench.pauses.update([Pause(id="one", key=key_of(PARTITION))])
    partition = await bench.start()
    if waits:
        await bench.put(1)
        await until(lambda: waiting(partition) == 1, "it waits")
    bench.open.clear()
    for nth_key in (1, 2):
        await bench.put(WINDOW, nth_key=nth_key)
    (other,) = await bench.put(1, nth_key=3)
    await until(lambda: other.id in bench.begun, "another conversation has its turn")
    bench.open.set()
    await until(lambda: len(bench.begun) == 2 * WINDOW + 1, "all are handled")
    await partition.drain(5)
