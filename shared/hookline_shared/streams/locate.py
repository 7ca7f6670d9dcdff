"""Finds single events among the unsettled ones."""

from collections.abc import AsyncIterator, Sequence
from enum import Enum
from typing import NamedTuple

from hookline_shared.errors import GroupMissingError
from hookline_shared.keys import GROUP
from hookline_shared.redis.manager import Command, RedisConnectionManager
from hookline_shared.streams.consume import record_name
from hookline_shared.streams.follow import Arrival, StreamPosition
from hookline_shared.streams.paging import pages
from hookline_shared.streams.replies import raise_first_error


class Stage(Enum):
    """The state of an unsettled event: not read yet, or read by a processor."""

    WAITING = "waiting"
    PENDING = "pending"


class Location(NamedTuple):
    """The state of an unsettled event. `idle_ms` is the time since it was last read in milliseconds, None if it was not;
    `record` is that of its failed attempts, None if there were none."""

    stage: Stage
    idle_ms: int | None
    record: bytes | None


async def unsettled_events(redis: RedisConnectionManager, partition: int, topic: str) -> AsyncIterator[list[Arrival]]:
    """Yield the unsettled events of a topic, oldest first, page by page.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    async for page in pages(redis, redis.keys.topic(partition, topic)):
        yield [Arrival(StreamPosition(partition, topic, entry.id), entry.fields or ()) for entry in page]


async def locate(redis: RedisConnectionManager, place: StreamPosition) -> Location | None:
    """Return the state of the event at `place`; None if it is no longer there.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    stream, retries, entry = redis.keys.topic(place.partition, place.topic), redis.keys.retries(place.partition), place.entry
    questions = [
        Command(stream, ("XPENDING", stream, GROUP, entry, entry, 1)),
        Command(retries, ("HGET", retries, record_name(place.topic, entry))),
        Command(stream, ("XRANGE", stream, entry, entry)),
    ]
    answers = await redis.pipeline("whereabouts", questions)
    known = [[] if isinstance(answer, GroupMissingError) else answer for answer in answers]  # without a group, none is pending
    pending, record, there = raise_first_error(known)
    if not there:
        return None
    return Location(Stage.PENDING, int(pending[0][2]), record) if pending else Location(Stage.WAITING, None, record)


async def server_time_ms(redis: RedisConnectionManager) -> int:
    """Return the Unix time in milliseconds by the clock of Redis, which entry ids use.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    seconds, microseconds = await redis.execute("time", redis.keys.layout, "TIME")
    return int(seconds) * 1000 + int(microseconds) // 1000


async def lengths(redis: RedisConnectionManager, partitions: int, topics: Sequence[str]) -> int:
    """Return the number of unsettled events of `topics`.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    streams = [redis.keys.topic(partition, topic) for partition in range(partitions) for topic in topics]
    answers = await redis.pipeline("xlen", [Command(stream, ("XLEN", stream)) for stream in streams])
    return sum(map(int, raise_first_error(answers)))
