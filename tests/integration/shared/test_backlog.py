"""The counts of the backlog."""

import redis

from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.backlog import Backlog, backlogs, partitions_in_use
from hookline_shared.topics import CALLS, MESSAGES, STATUSES
from tests.support.keys import keys


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


async def test_partitions_are_those_of_the_data(broker: RedisConnectionManager, redis_client: "redis.Redis") -> None:
    """Whoever looks need not know HOOKLINE_PARTITIONS."""
    assert await partitions_in_use(broker) is None
    redis_client.hset(keys.layout, "partitions", 3)
    assert await partitions_in_use(broker) == 3
