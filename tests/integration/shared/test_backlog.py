"""The counts of the backlog."""

import redis

from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.backlog import Backlog, backlogs, partitions_in_use, total
from hookline_shared.streams.consume import Consumer
from hookline_shared.streams.waiting.index import LATER
from hookline_shared.topics import CALLS, MESSAGES, STATUSES
from tests.support.processor.events import key_of
from tests.support.processor.feed import PARTITION, Feed, read
from tests.support.processor.waiting_lanes import put_waiting
from tests.support.storage.keys import keys


async def test_backlog_is_summed_over_partitions(broker: RedisConnectionManager, redis_client: "redis.Redis") -> None:
    """Length and oldest entry of each topic are those of all its partitions together."""
    for partition, entry in ((0, "3000-0"), (0, "4000-0"), (7, "2000-5")):
        redis_client.xadd(keys.topic(partition, MESSAGES), {"v": "1"}, id=entry)
    redis_client.xadd(keys.topic(3, CALLS), {"v": "1"}, id="9000-0")
    assert await backlogs(broker, 8, [MESSAGES, CALLS, STATUSES]) == {
        MESSAGES: Backlog(3, 2000),
        CALLS: Backlog(1, 9000),
        STATUSES: Backlog(0, None),
    }


async def test_events_that_wait_for_a_time_are_not_backlog(
    broker: RedisConnectionManager, consumer: Consumer, feed: Feed
) -> None:
    """They are counted apart, and are not the oldest; those behind them, and those that wait for a breaker, are backlog."""
    await put_waiting(broker, consumer, key_of(PARTITION), 3)
    await put_waiting(broker, consumer, key_of(PARTITION, 1), condition=LATER)
    await put_waiting(broker, consumer, key_of(PARTITION, 2), condition="breaker:crm")
    assert await backlogs(broker, 8, [MESSAGES]) == {MESSAGES: Backlog(3, None, 2)}
    await feed.put(1)
    (unread,) = (await backlogs(broker, 8, [MESSAGES])).values()
    assert (unread.events, unread.scheduled) == (4, 2)
    (entry,) = await read(consumer)
    assert (await backlogs(broker, 8, [MESSAGES]))[MESSAGES] == unread
    assert unread.oldest_ms == int(entry.id.partition("-")[0])


async def test_event_whose_time_has_passed_is_old(broker: RedisConnectionManager, consumer: Consumer) -> None:
    """Its age counts from the time at which it should have been attempted; "at once", from an operator, is no time."""
    await put_waiting(broker, consumer, key_of(PARTITION), time_ms=1_700_000_000_000)
    await put_waiting(broker, consumer, key_of(PARTITION, 1), time_ms=0)
    assert await backlogs(broker, 8, [MESSAGES]) == {MESSAGES: Backlog(0, 1_700_000_000_000, 2)}
    assert total([Backlog(1, 5, 1), Backlog(2, None), Backlog(0, 3, 1)]) == Backlog(3, 3, 2)


async def test_partitions_are_those_of_the_data(broker: RedisConnectionManager, redis_client: "redis.Redis") -> None:
    """Whoever looks need not know HOOKLINE_PARTITIONS."""
    assert await partitions_in_use(broker) is None
    redis_client.hset(keys.layout, "partitions", 3)
    assert await partitions_in_use(broker) == 3
