"""Reading the streams of a partition: what is new, and what is pending."""

import asyncio

import pytest
import redis

from shared import keys
from shared.broker.connection import RedisConnectionManager
from shared.broker.consume import NEW, Consumer, Entry, Settlements
from shared.errors import GroupMissingError
from shared.topics import DEFAULT_TOPICS, MESSAGES, STATUSES
from tests.integration.conftest import Connect
from tests.support.feed import PARTITION, PENDING, Feed, events_of, read
from tests.support.stored import Stored
from tests.support.waiting import until

STREAM = keys.topic(PARTITION, MESSAGES)
WAIT_MS = 10_000


async def test_groups_begin_at_the_very_beginning(
    broker: RedisConnectionManager, feed: Feed, redis_client: "redis.Redis"
) -> None:
    """What was written before the first processor ever started is read."""
    events = await feed.put(3)
    consumer = Consumer(broker, PARTITION, DEFAULT_TOPICS)
    await consumer.ensure_groups()
    assert events_of(await read(consumer)) == events
    for topic in DEFAULT_TOPICS:
        assert len(redis_client.xinfo_groups(keys.topic(PARTITION, topic))) == 1


async def test_making_groups_again_changes_nothing(consumer: Consumer, feed: Feed, stored: Stored) -> None:
    """Every start makes sure of the groups; positions and pending entries stay."""
    await feed.put(2)
    await read(consumer)
    await consumer.ensure_groups()
    assert await read(consumer) == []
    assert len(stored.pending(PARTITION, MESSAGES)) == 2


async def test_new_entries_are_delivered_once(consumer: Consumer, feed: Feed) -> None:
    """Reading from NEW gives each entry once, in order, at most as many as asked for."""
    events = await feed.put(5)
    assert events_of(await read(consumer, count=3)) == events[:3]
    assert events_of(await read(consumer)) == events[3:]
    assert await read(consumer) == []


async def test_pending_entries_are_read_again(consumer: Consumer, feed: Feed, broker: RedisConnectionManager) -> None:
    """What was read and not settled is given to the next owner of the partition, and from any position on."""
    events = await feed.put(4)
    entries = await read(consumer)
    successor = Consumer(broker, PARTITION, DEFAULT_TOPICS)
    assert events_of(await read(successor, PENDING)) == events
    assert events_of(await read(successor, entries[1].id)) == events[2:]
    assert await read(successor, entries[-1].id) == []


async def test_several_topics_at_different_positions(consumer: Consumer, feed: Feed) -> None:
    """One read serves every topic, each from its own position."""
    messages, (status,) = await feed.put(2), await feed.put(1, STATUSES)
    await read(consumer)
    found = dict(await consumer.read({MESSAGES: PENDING, STATUSES: NEW}, 10, None))
    assert events_of(found[MESSAGES]) == messages
    assert events_of(found[STATUSES]) == [status]


async def test_nothing_to_read(consumer: Consumer) -> None:
    """An empty stream gives nothing, whether one waits for it or not."""
    assert await consumer.read({MESSAGES: NEW, STATUSES: NEW}, 10, None) == []
    assert await consumer.read({MESSAGES: NEW, STATUSES: NEW}, 10, 1) == []


async def test_waiting_read_ends_with_the_first_entry(consumer: Consumer, feed: Feed, redis_client: "redis.Redis") -> None:
    """An event is read as soon as it is there, not when the wait is over."""
    reading = asyncio.create_task(consumer.read({MESSAGES: NEW, STATUSES: NEW}, 10, WAIT_MS))
    await until(lambda: redis_client.info("clients")["blocked_clients"] == 1, "the read waits")
    events = await feed.put(1)
    ((topic, entries),) = await reading
    assert (topic, events_of(entries)) == (MESSAGES, events)


async def test_cancelled_wait_loses_nothing(consumer: Consumer, feed: Feed, redis_client: "redis.Redis") -> None:
    """An entry that arrives while a read is given up is new or pending afterwards, and never gone."""
    reading = asyncio.create_task(consumer.read({MESSAGES: NEW}, 10, WAIT_MS))
    await until(lambda: redis_client.info("clients")["blocked_clients"] == 1, "the read waits")
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    events = await feed.put(1)
    assert events_of([*await read(consumer, PENDING), *await read(consumer)]) == events


async def test_missing_group_is_told_apart(broker: RedisConnectionManager, feed: Feed, redis_client: "redis.Redis") -> None:
    """A flushed or failed-over Redis without the group is an error of its own; making the groups again mends it."""
    events = await feed.put(1)
    consumer = Consumer(broker, PARTITION, [MESSAGES])
    for wait in (None, 1):
        with pytest.raises(GroupMissingError, match="lost a consumer group"):
            await consumer.read({MESSAGES: NEW}, 10, wait)
    await consumer.ensure_groups()
    assert events_of(await read(consumer)) == events


async def test_pending_entry_without_a_body(consumer: Consumer, feed: Feed, redis_client: "redis.Redis") -> None:
    """An entry that was deleted while it was pending is told by its missing fields, and can be settled."""
    await feed.put(2)
    gone, kept = await read(consumer)
    redis_client.xdel(STREAM, gone.id)
    assert await read(consumer, PENDING) == [Entry(gone.id, None), kept]
    await consumer.settle(Settlements(done={MESSAGES: [gone.id]}))
    assert await read(consumer, PENDING) == [kept]


async def test_partitions_do_not_touch_each_other(connect: Connect, redis_url: str, feed: Feed) -> None:
    """The consumer of one partition neither sees nor needs the streams of another."""
    await feed.put(1)
    other = Consumer(connect(redis_url), PARTITION + 1, DEFAULT_TOPICS)
    await other.ensure_groups()
    assert await other.read(dict.fromkeys(DEFAULT_TOPICS, NEW), 10, None) == []
