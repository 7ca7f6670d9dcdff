"""Finds single events among the unsettled ones."""

from collections.abc import AsyncIterator, Sequence
from enum import Enum
from typing import Final, NamedTuple

from hookline_shared.redis.manager import Command, RedisConnectionManager, ScriptCall
from hookline_shared.redis_keys import GROUP
from hookline_shared.streams.consume import WAITING
from hookline_shared.streams.follow import Arrival, StreamPosition
from hookline_shared.streams.paging import pages
from hookline_shared.streams.redis_answers import raise_first_error
from hookline_shared.streams.scripts import load_script
from hookline_shared.streams.waiting.index import LATER, lane_id

_LOCATE: Final = load_script("waiting/locate")


class Stage(Enum):
    """The state of an unsettled event: not read yet, in the memory of a processor, or waiting in Redis."""

    UNREAD = "unread"
    PENDING = "pending"
    WAITING = "waiting"


class Wait(NamedTuple):
    """What the lane of a waiting event waits for: until `until_ms`, Unix time in ms, or for `condition`, if it is not empty.

    `lane` is the id of the lane. `first_entry` is the entry id of its first event, which is the one that waits; the others
    wait behind it.
    """

    lane: str
    first_entry: str
    condition: str
    until_ms: int


class Location(NamedTuple):
    """The state of an unsettled event. `idle_ms` is the time since it was last read in milliseconds, None if it was not;
    `record` is that of its failed attempts, None if there were none. `wait` is None unless it is waiting."""

    stage: Stage
    idle_ms: int | None
    record: bytes | None
    wait: Wait | None = None


async def unsettled_events(redis: RedisConnectionManager, partition: int, topic: str) -> AsyncIterator[list[Arrival]]:
    """Yield the unsettled events of a topic, oldest first, page by page.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    async for page in pages(redis, redis.keys.topic(partition, topic)):
        yield [Arrival(StreamPosition(partition, topic, entry.id), entry.fields or ()) for entry in page]


async def locate(redis: RedisConnectionManager, place: StreamPosition, key: str) -> Location | None:
    """Return the state of the event at `place`, which has the ordering key `key`; None if it is no longer there.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    partition, topic, entry = place
    call = ScriptCall(
        [redis.keys.retries(partition), redis.keys.topic(partition, topic)],
        [GROUP, redis.keys.space(partition), topic, entry, lane_id(topic, key)],
    )
    (found,) = raise_first_error(await redis.run("whereabouts", _LOCATE, [call]))
    if not found:
        return None
    consumer, idle_ms, record, lane, first, waits, condition, time = found
    wait = Wait(lane.decode(), first.decode(), _condition(condition), int(float(time))) if waits else None
    if not consumer:
        return Location(Stage.UNREAD, None, record or None)
    if wait is None or consumer != WAITING.encode():
        return Location(Stage.PENDING, int(idle_ms), record or None)
    return Location(Stage.WAITING, int(idle_ms), record or None, wait)


def _condition(stored: bytes) -> str:
    condition = stored.decode(errors="replace")
    return "" if condition == LATER else condition


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
