"""Settling an event with memory: the document is written with it, and only on top of the one that was read."""

import redis

from hookline_shared.event import Event
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import Consumer, Entry
from hookline_shared.streams.memory import NO_MEMORY, Memories, MemoryWrite, StoredMemory, memory_digest
from hookline_shared.streams.outbox import OutboxEntry
from hookline_shared.streams.settlements import LeavingEntry, Outputs, Settlements, record_name
from hookline_shared.topics import BULK, MESSAGES
from tests.support.processor.events import event, key_of
from tests.support.processor.feed import PARTITION, Feed, read
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS, Stored

LIFE_MS = 60_000
ONE: Event = event(key=key_of(PARTITION, 0))
DIGEST = memory_digest(ONE.account, ONE.key)


def writing(entry: Entry, own: str, text: str, expected: str = "", topic: str = MESSAGES) -> Settlements:
    """Return the settlement of a done event that sends a message, and writes `text` on top of the version `expected`."""
    memory = MemoryWrite(DIGEST, expected, own, text, LIFE_MS)
    message = OutboxEntry(f"token-{own}", LIFE_MS, ["v", "1", "body", own])
    return Settlements(done={topic: [entry.id]}, outputs=[Outputs(topic, entry.id, [message], memory)])


def sent(stored: Stored) -> list[bytes]:
    return [fields[-1] for _, fields in stored.entries(PARTITION, "outbox")]


async def test_document_is_written_with_the_event(
    consumer: Consumer, feed: Feed, broker: RedisConnectionManager, redis_client: "redis.Redis"
) -> None:
    """And read again by whoever has the conversation next, until its life ends."""
    memories = Memories(broker, PARTITIONS)
    assert await memories.load(ONE) == NO_MEMORY
    await feed.put(1)
    (entry,) = await read(consumer)
    await consumer.settle(writing(entry, "e1", '{"name":"Zoë\\n"}'))
    assert await memories.load(ONE) == StoredMemory("e1", '{"name":"Zoë\\n"}')
    assert LIFE_MS - 30_000 < redis_client.pttl(keys.memory(PARTITION, DIGEST)) <= LIFE_MS


async def test_another_version_stops_everything(
    consumer: Consumer, feed: Feed, broker: RedisConnectionManager, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """Nothing is sent, nothing leaves, its record stays; others of the same batch are settled."""
    await feed.put(3)
    first, second, third = await read(consumer)
    await consumer.settle(writing(first, "e1", "{}"))
    batch = writing(second, "e2", '{"a":1}')
    batch.done[MESSAGES].append(third.id)
    name = record_name(MESSAGES, second.id)
    redis_client.hset(keys.retries(PARTITION), name, "{}")
    batch.recorded = [name, record_name(MESSAGES, third.id)]
    batch.leaving = [LeavingEntry(MESSAGES, "lane", second.id)]
    result = await consumer.settle(batch)
    assert result.stale == [(MESSAGES, second.id)]
    assert sent(stored) == [b"e1"]
    assert [one for one, _ in stored.entries(PARTITION, MESSAGES)] == [second.id]
    assert redis_client.hkeys(keys.retries(PARTITION)) == [name.encode()]
    again = await consumer.settle(writing(second, "e2", '{"a":1}', expected="e1"))
    assert again.stale == []
    assert sent(stored) == [b"e1", b"e2"]
    assert await Memories(broker, PARTITIONS).load(ONE) == StoredMemory("e2", '{"a":1}')


async def test_repeat_is_no_other_version(
    consumer: Consumer, feed: Feed, broker: RedisConnectionManager, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """The event has written the document itself, before Redis refused the rest of the step: now it does the rest."""
    await feed.put(1)
    (entry,) = await read(consumer)
    redis_client.set(keys.memory(PARTITION, DIGEST), 'e1\n{"a":1}', px=LIFE_MS)
    result = await consumer.settle(writing(entry, "e1", '{"a":2}'))
    assert result.stale == []
    assert stored.entries(PARTITION, MESSAGES) == []
    assert (await Memories(broker, PARTITIONS).load(ONE)).text == '{"a":1}', "what was sent rests on it"


async def test_comparing_without_writing(
    consumer: Consumer, feed: Feed, broker: RedisConnectionManager, stored: Stored
) -> None:
    """A reply that rests on a document, and leaves it as it is, is sent only if that is still so."""
    await feed.put(2)
    first, second = await read(consumer)
    await consumer.settle(writing(first, "e1", '{"a":1}'))
    assert (await consumer.settle(writing(second, "e2", ""))).stale == [(MESSAGES, second.id)]
    assert (await consumer.settle(writing(second, "e2", "", expected="e1"))).stale == []
    assert sent(stored) == [b"e1", b"e2"]
    assert await Memories(broker, PARTITIONS).load(ONE) == StoredMemory("e1", '{"a":1}')


async def test_document_without_memory_in_redis(
    consumer: Consumer, feed: Feed, broker: RedisConnectionManager, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """Settling works: if the event stayed, no memory would come free. Also if it sends nothing."""
    await feed.put(1)
    (entry,) = await read(consumer)
    settlements = writing(entry, "e1", '{"a":1}')
    settlements.outputs = [settlements.outputs[0]._replace(messages=[])]
    redis_client.config_set("maxmemory", "1")
    try:
        await consumer.settle(settlements)
    finally:
        redis_client.config_set("maxmemory", "0")
    assert await Memories(broker, PARTITIONS).load(ONE) == StoredMemory("e1", '{"a":1}')
    assert stored.entries(PARTITION, MESSAGES) == []


async def test_burst_is_stale_as_a_whole(
    consumer: Consumer, feed: Feed, broker: RedisConnectionManager, stored: Stored
) -> None:
    """None of its events leaves; then all do."""
    await feed.put(3)
    first, second, third = await read(consumer)
    await consumer.settle(writing(first, "e1", "{}"))
    for expected, left in (("", [second.id, third.id]), ("e1", [])):
        batch = writing(second, "e2", '{"a":1}', expected=expected)
        batch.done[MESSAGES].append(third.id)
        batch.outputs = [batch.outputs[0]._replace(with_it=[third.id])]
        result = await consumer.settle(batch)
        assert result.stale == ([(MESSAGES, second.id)] if left else [])
        assert [one for one, _ in stored.entries(PARTITION, MESSAGES)] == left


async def test_event_that_is_gone_changes_nothing(
    consumer: Consumer, feed: Feed, broker: RedisConnectionManager, stored: Stored
) -> None:
    """Its settlement is repeated, after another event has written the document."""
    await feed.put(2)
    first, second = await read(consumer)
    await consumer.settle(writing(first, "e1", '{"a":1}'))
    await consumer.settle(writing(second, "e2", '{"a":2}', expected="e1"))
    assert (await consumer.settle(writing(first, "e1", '{"a":1}'))).stale == []
    assert await Memories(broker, PARTITIONS).load(ONE) == StoredMemory("e2", '{"a":2}')
    assert sent(stored) == [b"e1", b"e2"]
    assert stored.entries(PARTITION, BULK) == []
