"""Counts the unsettled events by state, and the dead letters, without changing anything."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from hookline_shared.errors import GroupMissingError
from hookline_shared.redis.manager import Command, RedisConnectionManager
from hookline_shared.redis_keys import GROUP
from hookline_shared.streams.dead_letter_counts import FIRST, count_by_topic
from hookline_shared.streams.redis_answers import raise_first_error
from hookline_shared.streams.waiting.control import WaitingControl


class EventCounts(NamedTuple):
    """Counts by topic, over all partitions; topics with a count of 0 are missing.

    `pending` counts the events that a processor has read and not settled, including those that wait. `waiting` counts the
    events that wait in Redis for a time or a condition; those behind them in their conversations are only pending. `dead`
    counts the dead letters.
    """

    pending: Counter[str]
    waiting: Counter[str]
    dead: Counter[str]


async def count_events(redis: RedisConnectionManager, partitions: int, topics: Sequence[str]) -> EventCounts:
    """Return all three counts.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    places = range(partitions)
    pending, waiting, dead = await asyncio.gather(
        count_pending(redis, partitions, topics),
        count_waiting(redis, partitions, topics),
        asyncio.gather(*(_dead(redis, partition) for partition in places)),
    )
    return EventCounts(pending, waiting, _sum(dead))


async def count_pending(redis: RedisConnectionManager, partitions: int, topics: Sequence[str]) -> Counter[str]:
    """Return the number of events that a processor has read and not settled, by topic.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    places = [(topic, redis.keys.topic(partition, topic)) for topic in topics for partition in range(partitions)]
    asked = [Command(stream, ("XPENDING", stream, GROUP)) for _, stream in places]
    answers = await redis.pipeline("census", asked)
    read = [
        None if isinstance(answer, GroupMissingError) else answer for answer in answers
    ]  # without a group, nothing was read
    found: Counter[str] = Counter()
    for (topic, _), answer in zip(places, raise_first_error(read), strict=True):
        if answer is not None:
            found[topic] += int(answer[0])
    return +found


async def count_waiting(redis: RedisConnectionManager, partitions: int, topics: Sequence[str]) -> Counter[str]:
    """Return the number of events that wait in Redis, by topic.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    found: Counter[str] = Counter()
    for waiting in await WaitingControl(redis, partitions).sets(topics):
        found[waiting.topic] += waiting.lanes
    return found


async def _dead(redis: RedisConnectionManager, partition: int) -> Counter[str]:
    start, found = FIRST, Counter[str]()
    while True:
        (page,) = await count_by_topic(redis, [(partition, start)])
        found += page.topics
        if not page.more:
            return found
        start = page.next


def _sum(counters: Sequence[Counter[str]]) -> Counter[str]:
    return sum(counters, Counter())
