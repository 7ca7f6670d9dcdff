"""Reads the backlog and the server info, without changing anything."""

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

from hookline_shared.redis.manager import Command, RedisConnectionManager, ScriptCall
from hookline_shared.redis.server_info import ServerInfo, parse_info
from hookline_shared.streams.consume import Entry
from hookline_shared.streams.paging import bytes_of, page_size, read_page
from hookline_shared.streams.replies import raise_first_error
from hookline_shared.streams.scripts import load_script

_OLDEST: Final = load_script("oldest")


class Backlog(NamedTuple):
    """The unsettled events of one topic, over all partitions. `oldest_ms` is Unix time, None if there are none."""

    events: int
    oldest_ms: int | None

    def age_s(self, now_ms: int) -> float:
        """Return the age of the oldest event in seconds, 0 if there is none."""
        return 0.0 if self.oldest_ms is None else max(0, now_ms - self.oldest_ms) / 1000


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
    streams = [redis.keys.topic(partition, topic) for topic in topics for partition in range(partitions)]
    answers = raise_first_error(await redis.run("backlog", _OLDEST, [ScriptCall([stream], []) for stream in streams]))
    per_topic = {topic: answers[at * partitions : (at + 1) * partitions] for at, topic in enumerate(topics)}
    return {topic: _sum(own) for topic, own in per_topic.items()}


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


def _sum(answers: Sequence[tuple[int, bytes]]) -> Backlog:
    oldest = [int(first.partition(b"-")[0]) for _, first in answers if first]
    return Backlog(sum(length for length, _ in answers), min(oldest, default=None))
