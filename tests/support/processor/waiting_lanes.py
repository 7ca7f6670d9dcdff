"""Lanes that wait in Redis, as the owner of a partition puts them there."""

from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appender
from hookline_shared.streams.consume import Consumer
from hookline_shared.streams.settlements import Settlements, WaitingLane
from hookline_shared.streams.waiting.index import lane_id
from hookline_shared.topics import MESSAGES
from tests.support.processor.events import event
from tests.support.processor.feed import read
from tests.support.storage.stored import PARTITIONS

_TIMEOUT_S = 10.0


async def put_waiting(
    broker: RedisConnectionManager,
    consumer: Consumer,
    key: str,
    number: int = 1,
    condition: str = "",
    time_ms: int = 4_000_000_000_000,
    topic: str = MESSAGES,
) -> list[str]:
    """Append `number` events with `key`, which is of the consumer's partition, and let them wait; return their entry ids."""
    events = [event(key=key) for _ in range(number)]
    await Appender(broker, PARTITIONS, dedupe_window_s=3600, backlog_limit=1_000_000).append(
        [(topic, one) for one in events], _TIMEOUT_S
    )
    entries = [entry.id for entry in await read(consumer, topic=topic)]
    await consumer.settle(Settlements(waiting=[WaitingLane(topic, lane_id(topic, key), condition, time_ms, entries)]))
    return entries
