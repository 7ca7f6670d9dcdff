"""Counting events and finding owners without touching either."""

from collections import Counter

import redis

from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams import dead_letter_counts as dead_topics
from hookline_shared.streams.backlog import servers
from hookline_shared.streams.consume import Consumer
from hookline_shared.streams.counts import EventCounts, count_events
from hookline_shared.streams.dead_letter_counts import DeadLetterCounts
from hookline_shared.streams.ownership.lease import Leases
from hookline_shared.streams.ownership.membership import leases, members
from hookline_shared.streams.settlements import DeadLetterRecord, Settlements, WaitingLane, record_name
from hookline_shared.streams.waiting.index import lane_id
from hookline_shared.topics import BULK, CALLS, DEFAULT_TOPICS, MESSAGES
from tests.integration.conftest import Connect
from tests.support.processor.events import key_of
from tests.support.processor.feed import PARTITION, Feed, claim, read
from tests.support.servers.cluster_set import ClusterSet
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS
from tests.support.time.manual_clock import ManualClock

EMPTY = EventCounts(Counter(), Counter(), Counter())


async def test_nothing_is_counted_as_nothing(broker: RedisConnectionManager, redis_client: "redis.Redis") -> None:
    """In a Redis where no service has been, there is nothing, and looking leaves nothing behind."""
    assert await count_events(broker, PARTITIONS, DEFAULT_TOPICS) == EMPTY
    assert await members(broker) == []
    assert [lease.left_ms for lease in await leases(broker, PARTITIONS)] == [0] * PARTITIONS
    assert redis_client.dbsize() == 0


async def test_events_are_told_apart(broker: RedisConnectionManager, consumer: Consumer, feed: Feed) -> None:
    """Pending, waiting and dead events are counted by topic; retry records count nothing."""
    for topic, number in ((MESSAGES, 5), (CALLS, 2), (BULK, 1)):
        await feed.put(number, topic)
    messages, calls = await read(consumer, topic=MESSAGES), await read(consumer, topic=CALLS)
    letter = DeadLetterRecord(MESSAGES, messages[0].id, ["dead.reason", "rejected", "dead.topic", MESSAGES])
    record = record_name(CALLS, calls[0].id)
    waiting = WaitingLane(CALLS, lane_id(CALLS, key_of(PARTITION)), "", 4_000_000_000_000, [entry.id for entry in calls])
    settlements = Settlements(done={MESSAGES: [messages[1].id]}, failed={record: "{}"}, dead=[letter], waiting=[waiting])
    await consumer.settle(settlements)
    found = await count_events(broker, PARTITIONS, DEFAULT_TOPICS)
    assert found == EventCounts(Counter({MESSAGES: 3, CALLS: 2}), Counter({CALLS: 1}), Counter({MESSAGES: 1}))


async def test_long_lists_are_counted_page_by_page(broker: RedisConnectionManager, redis_client: "redis.Redis") -> None:
    """More letters than fit into a page, ends of pages included, are all counted."""
    pages = 2 * dead_topics._PAGE
    with redis_client.pipeline() as pipeline:
        for number in range(pages):
            topic = (MESSAGES, CALLS)[number % 2]
            pipeline.xadd(keys.dead(0), {"v": "1", "dead.topic": topic})
        pipeline.xadd(keys.dead(7), {"v": "1"})
        pipeline.execute()
    found = await count_events(broker, PARTITIONS, DEFAULT_TOPICS)
    assert found.dead == {MESSAGES: pages // 2, CALLS: pages // 2, "": 1}


async def test_dead_letters_are_counted_as_they_come_and_go(
    broker: RedisConnectionManager, redis_client: "redis.Redis", clock: ManualClock
) -> None:
    """New ones are added to what was counted; where some have gone, or all, it is counted anew."""
    tally = DeadLetterCounts(broker, PARTITIONS, clock)
    assert await tally.update() == {}
    first = [redis_client.xadd(keys.dead(0), {"dead.topic": topic}) for topic in (MESSAGES, CALLS, MESSAGES)]
    redis_client.xadd(keys.dead(3), {"dead.topic": CALLS})
    assert await tally.update() == {MESSAGES: 2, CALLS: 2}
    with redis_client.pipeline() as pipeline:
        for _ in range(dead_topics._PAGE):
            pipeline.xadd(keys.dead(0), {"dead.topic": BULK})
        pipeline.execute()
    assert await tally.update() == {MESSAGES: 2, CALLS: 2, BULK: dead_topics._PAGE}
    redis_client.xdel(keys.dead(0), first[0])
    assert await tally.update() == {MESSAGES: 1, CALLS: 2, BULK: dead_topics._PAGE}
    redis_client.flushall()
    assert await tally.update() == {}


async def test_owners_are_found(broker: RedisConnectionManager) -> None:
    """Leases that run name their owner, and processors tell when they were last there."""
    await claim(broker, owner="web-1:1:a")
    await Leases(broker, "web-2:1:b", 10, 5).heartbeat()
    held = (await leases(broker, PARTITIONS))[PARTITION]
    assert held.owner == "web-1:1:a"
    assert 0 < held.left_ms <= 60_000
    (present,) = await members(broker)
    assert present.name == "web-2:1:b"
    assert 0 <= present.silent_ms < 10_000


async def test_every_master_of_a_cluster_is_asked_once(connect: Connect, cluster_set: ClusterSet) -> None:
    """Facts come from each master that has some of our keys; counting works across them."""
    connection = connect(cluster_set.url)
    await connection.monitor.locate()
    found = await servers(connection, PARTITIONS)
    assert len({facts.run_id for facts in found}) == len(found) > 1
    assert await count_events(connection, PARTITIONS, DEFAULT_TOPICS) == EMPTY
    assert len(await leases(connection, PARTITIONS)) == PARTITIONS
