"""Reading the streams of a partition: what is new, and what is pending."""

import asyncio

import pytest
import redis

from hookline_shared.errors import FencedError, GroupMissingError
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.redis_keys import GROUP
from hookline_shared.streams.consume import CONSUMER, NEW, WAITING, Consumer, Entry, Group
from hookline_shared.streams.settlements import DeadLetterRecord, Settlements, WaitingLane
from hookline_shared.topics import DEFAULT_TOPICS, MESSAGES, STATUSES
from tests.integration.conftest import Connect
from tests.support.processor.feed import PARTITION, PENDING, Feed, claim, events_of, read
from tests.support.storage.keys import keys
from tests.support.storage.stored import Stored
from tests.support.waiting import until

STREAM = keys.topic(PARTITION, MESSAGES)
WAIT_S = 10.0
OTHER = "another"


async def delivered(consumer: Consumer) -> dict[str, str]:
    """Return, by topic, the last entry that was read as new."""
    return {topic: group.delivered for topic, group in (await consumer.groups()).items()}


async def test_groups_begin_at_the_very_beginning(
    broker: RedisConnectionManager, feed: Feed, redis_client: "redis.Redis"
) -> None:
    """What was written before the first processor ever started is read."""
    events = await feed.put(3)
    consumer = Consumer(broker, PARTITION, DEFAULT_TOPICS, await claim(broker))
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
    successor = Consumer(broker, PARTITION, DEFAULT_TOPICS, await claim(broker))
    assert events_of(await read(successor, PENDING)) == events
    assert events_of(await read(successor, entries[1].id)) == events[2:]
    assert await read(successor, entries[-1].id) == []


async def test_several_topics_at_different_positions(consumer: Consumer, feed: Feed) -> None:
    """One read serves every topic, each from its own position."""
    messages, (status,) = await feed.put(2), await feed.put(1, STATUSES)
    await read(consumer)
    found = dict(await consumer.read({MESSAGES: PENDING, STATUSES: NEW}, 10))
    assert events_of(found[MESSAGES]) == messages
    assert events_of(found[STATUSES]) == [status]


async def test_nothing_to_read(consumer: Consumer) -> None:
    """An empty stream gives nothing, and waiting for it ends in time."""
    assert await consumer.read({MESSAGES: NEW, STATUSES: NEW}, 10) == []
    assert not await consumer.wait_for_new(await delivered(consumer), 0.001)


async def test_wait_ends_with_the_first_entry(consumer: Consumer, feed: Feed, redis_client: "redis.Redis") -> None:
    """An event is noticed as soon as it is there, not when the wait is over, and waiting takes nothing."""
    await feed.put(2)
    await read(consumer)
    waiting = asyncio.create_task(consumer.wait_for_new(await delivered(consumer), WAIT_S))
    await until(lambda: redis_client.info("clients")["blocked_clients"] == 1, "it waits")
    events = await feed.put(1)
    assert await waiting
    assert events_of(await read(consumer)) == events


async def test_wait_for_what_came_before_it_began(consumer: Consumer, feed: Feed) -> None:
    """An event that came between reading and waiting is noticed, too."""
    before = await delivered(consumer)
    await feed.put(1, STATUSES)
    assert await consumer.wait_for_new(before, WAIT_S)
    assert len(await read(consumer, topic=STATUSES)) == 1


async def test_without_the_lease_nothing_is_read(consumer: Consumer, feed: Feed, broker: RedisConnectionManager) -> None:
    """A read that comes late, when another owner has the partition, takes nothing away from that one."""
    await feed.put(1)
    taken = await read(consumer)
    events = await feed.put(2)
    successor = Consumer(broker, PARTITION, DEFAULT_TOPICS, await claim(broker, owner=OTHER, force=True))
    for position in (NEW, PENDING):
        with pytest.raises(GroupMissingError):
            await read(consumer, position)
    assert await read(successor, PENDING) == taken
    assert events_of(await read(successor)) == events


async def test_without_the_lease_nothing_is_settled(
    consumer: Consumer, feed: Feed, stored: Stored, broker: RedisConnectionManager
) -> None:
    """Settlements of a former owner are refused as a whole, whatever they say."""
    done, dead, failed = await feed.put(3)
    entries = await read(consumer)
    await claim(broker, owner=OTHER, force=True)
    letter = DeadLetterRecord(MESSAGES, entries[1].id, ["dead.reason", "rejected"])
    for late in (
        Settlements(done={MESSAGES: [entries[0].id]}),
        Settlements(dead=[letter]),
        Settlements(failed={"messages/1-1": "record"}),
    ):
        with pytest.raises(FencedError):
            await consumer.settle(late)
    assert stored.events() == [done, dead, failed]
    assert stored.dead_letters(PARTITION) == []
    assert stored.retry_records(PARTITION) == {}


async def test_lease_that_ran_out_and_was_not_taken(consumer: Consumer, feed: Feed, redis_client: "redis.Redis") -> None:
    """What was read before can still be settled, since nobody else can have begun it; nothing more is read."""
    await feed.put(2)
    (entry,) = await read(consumer, count=1)
    term = int(redis_client.hget(keys.lease(PARTITION), "term") or 0)
    assert redis_client.delete(keys.token(PARTITION, "owner", term)) == 1
    with pytest.raises(GroupMissingError):
        await read(consumer)
    await consumer.settle(Settlements(done={MESSAGES: [entry.id]}))
    assert redis_client.xlen(STREAM) == 1


async def test_what_others_have_read_is_adopted(consumer: Consumer, feed: Feed, redis_client: "redis.Redis") -> None:
    """Entries that somebody read by hand, with our group and another name, become ours, in their order, and the name goes."""
    events = await feed.put(3)
    words = ["XREADGROUP", "GROUP", GROUP, "curious", "COUNT", 2, "STREAMS", STREAM, ">"]
    redis_client.execute_command(*words)
    assert events_of(await read(consumer)) == events[2:]
    assert (await consumer.adopt())[0] == 1
    assert events_of(await read(consumer, PENDING)) == events
    assert [one["name"] for one in redis_client.xinfo_consumers(STREAM, GROUP)] == [CONSUMER.encode()]
    assert (await consumer.adopt())[0] == 0


async def test_every_missing_body_is_told_of_once(consumer: Consumer, feed: Feed, redis_client: "redis.Redis") -> None:
    """Whether Redis drops the entry when it is taken over, as since 7.0, or hands it over without a body."""
    await feed.put(3)
    words = ["XREADGROUP", "GROUP", GROUP, "curious", "COUNT", 3, "STREAMS", STREAM, ">"]
    ((_, read_by_hand),) = redis_client.execute_command(*words)
    redis_client.xdel(STREAM, read_by_hand[1][0])
    _, gone = await consumer.adopt()
    entries = await read(consumer, PENDING)
    assert gone[MESSAGES] + sum(entry.fields is None for entry in entries) == 1
    assert len(entries) + gone[MESSAGES] == 3


async def test_former_owner_adopts_nothing(
    consumer: Consumer, redis_client: "redis.Redis", broker: RedisConnectionManager
) -> None:
    """It would take entries over for a successor that does not know of them."""
    redis_client.execute_command("XGROUP", "CREATECONSUMER", STREAM, GROUP, "curious")
    await claim(broker, owner=OTHER, force=True)
    with pytest.raises(FencedError):
        await consumer.adopt()
    assert len(redis_client.xinfo_consumers(STREAM, GROUP)) == 1


async def test_what_waits_is_not_adopted(consumer: Consumer, feed: Feed, redis_client: "redis.Redis") -> None:
    """It belongs to a consumer of ours, which stays, though nobody reads as it; and a takeover reads none of it."""
    await feed.put(3)
    entries = await read(consumer)
    waits = [entry.id for entry in entries[:2]]
    await consumer.settle(Settlements(waiting=[WaitingLane(MESSAGES, "lane", "", 5, waits)]))
    assert (await consumer.adopt())[0] == 0
    assert await read(consumer, PENDING) == entries[2:]
    names = {one["name"]: one["pending"] for one in redis_client.xinfo_consumers(STREAM, GROUP)}
    assert names == {CONSUMER.encode(): 1, WAITING.encode(): 2}


async def test_groups_tell_what_is_in_memory_and_what_waits(
    consumer: Consumer, feed: Feed, redis_client: "redis.Redis"
) -> None:
    """By consumer; entries of others are neither, and a topic without any has none."""
    await feed.put(4)
    entries = await read(consumer, count=3)
    await consumer.settle(Settlements(waiting=[WaitingLane(MESSAGES, "lane", "", 5, [entries[0].id])]))
    redis_client.execute_command("XREADGROUP", "GROUP", GROUP, "curious", "STREAMS", STREAM, ">")
    groups = await consumer.groups()
    assert (groups[MESSAGES].in_memory, groups[MESSAGES].waiting) == (2, 1)
    assert groups[MESSAGES].delivered > entries[2].id
    assert groups[STATUSES] == Group("0-0", 0, 0)


async def test_missing_group_is_told_apart(broker: RedisConnectionManager, feed: Feed, redis_client: "redis.Redis") -> None:
    """A flushed or failed-over Redis without the group is an error of its own; making the groups again mends it."""
    events = await feed.put(1)
    consumer = Consumer(broker, PARTITION, [MESSAGES], await claim(broker))
    with pytest.raises(GroupMissingError, match="lost a consumer group"):
        await consumer.read({MESSAGES: NEW}, 10)
    await consumer.ensure_groups()
    assert events_of(await read(consumer)) == events


async def test_pending_entry_without_a_body(consumer: Consumer, feed: Feed, redis_client: "redis.Redis") -> None:
    """An entry that was deleted while it was pending is recognised by its missing fields, and can be settled."""
    await feed.put(2)
    gone, kept = await read(consumer)
    redis_client.xdel(STREAM, gone.id)
    assert await read(consumer, PENDING) == [Entry(gone.id, None), kept]
    await consumer.settle(Settlements(done={MESSAGES: [gone.id]}))
    assert await read(consumer, PENDING) == [kept]


async def test_partitions_do_not_touch_each_other(connect: Connect, redis_url: str, feed: Feed) -> None:
    """The consumer of one partition neither sees nor needs the streams of another."""
    await feed.put(1)
    broker = connect(redis_url)
    other = Consumer(broker, PARTITION + 1, DEFAULT_TOPICS, await claim(broker, PARTITION + 1))
    await other.ensure_groups()
    assert await other.read(dict.fromkeys(DEFAULT_TOPICS, NEW), 10) == []
