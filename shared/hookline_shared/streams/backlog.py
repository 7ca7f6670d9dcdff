"""Reads the backlog and the server info, without changing anything."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final, NamedTuple

from hookline_shared.redis.manager import Command, RedisConnectionManager, ScriptCall
from hookline_shared.redis.server_info import ServerInfo, parse_info
from hookline_shared.redis_keys import GROUP
from hookline_shared.streams.consume import Entry
from hookline_shared.streams.paging import bytes_of, page_size, read_page
from hookline_shared.streams.redis_answers import raise_first_error
from hookline_shared.streams.scripts import load_script

_BACKLOG: Final = load_script("backlog")


class Backlog(NamedTuple):
    """The unsettled events of one topic, over all partitions, except those that wait for a time: they are `scheduled`.

    Nothing is late with a scheduled event, and no further processor would settle it sooner. So it neither counts against the
    limit of the backlog, nor as the oldest event. `oldest_ms` is the Unix time since when the oldest event could have been
    handled, None if there is none: an event in the waiting index counts only once its time has passed.
    """

    events: int
    oldest_ms: int | None
    scheduled: int = 0

    def age_s(self, now_ms: int) -> float:
        """Return the age of the oldest event in seconds, 0 if there is none."""
        return 0.0 if self.oldest_ms is None else max(0, now_ms - self.oldest_ms) / 1000


def total(backlogs: Iterable[Backlog]) -> Backlog:
    """Return the backlog of several topics together."""
    all_of_them = list(backlogs)
    return Backlog(
        sum(backlog.events for backlog in all_of_them),
        min((backlog.oldest_ms for backlog in all_of_them if backlog.oldest_ms is not None), default=None),
        sum(backlog.scheduled for backlog in all_of_them),
    )


async def partitions_in_use(redis: RedisConnectionManager) -> int | None:
    """Return the number of partitions of the data in Redis, None if no service has written it yet.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    found = await redis.execute("layout", redis.keys.layout, "HGET", redis.keys.layout, "partitions")
    return int(found) if found and found.isdigit() else None


async def backlogs(redis: RedisConnectionManager, partitions: int, topics: Sequence[str]) -> dict[str, Backlog]:
    """Return the backlog of each topic.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    calls = [
        ScriptCall([redis.keys.topic(partition, topic) for topic in topics], [GROUP, redis.keys.space(partition), *topics])
        for partition in range(partitions)
    ]
    answers = raise_first_error(await redis.run("backlog", _BACKLOG, calls))
    return {topic: total(_decode(*one) for one in own) for topic, own in zip(topics, zip(*answers, strict=True), strict=True)}


async def servers(redis: RedisConnectionManager, partitions: int) -> list[ServerInfo]:
    """Return the server info of each master.

    Raises:
        BrokerUnavailableError: if one did not answer, or a partition has no master.

    """
    some = redis.one_for_each_master([redis.keys.layout, *(redis.keys.probe(partition) for partition in range(partitions))])
    answers = raise_first_error(await redis.pipeline("info", [Command(key, ("INFO",)) for key in some]))
    return [parse_info(answer) for answer in answers]


async def is_among_newest(redis: RedisConnectionManager, stream: str, word: str, count: int) -> bool:
    """Whether `word` is in one of the newest `count` entries of `stream`.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    size, last, left = page_size(count), "+", count
    while left > 0:
        ask = partial(_newest, redis, stream, last, left)
        found = await read_page(size, ask)
        if any(word.encode() in value for entry in found for value in entry.fields or ()):
            return True
        if not found:
            return False
        size.succeeded(len(found), bytes_of(found))
        last, left = f"({found[-1].id}", left - len(found)
    return False


async def _newest(redis: RedisConnectionManager, stream: str, last: str, most: int, count: int) -> list[Entry]:
    reply = await redis.execute("look", stream, "XREVRANGE", stream, last, "-", "COUNT", min(most, count))
    return [Entry(entry_id.decode(), fields) for entry_id, fields in reply]


def _decode(length: int, scheduled: int, oldest: bytes) -> Backlog:
    return Backlog(length - scheduled, int(oldest) if oldest else None, scheduled)
