"""Reads the backlog and the server info, without changing anything."""

from collections.abc import Sequence
from typing import NamedTuple

from hookline_shared.redis.manager import Command, RedisConnectionManager
from hookline_shared.redis.server_info import ServerInfo, parse_info
from hookline_shared.streams.replies import raise_first_error


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
    questions = [(("XLEN", stream), ("XRANGE", stream, "-", "+", "COUNT", 1)) for stream in streams]
    commands = [Command(words[1], words) for pair in questions for words in pair]
    answers = raise_first_error(await redis.pipeline("backlog", commands))
    width = 2 * partitions
    per_topic = {topic: answers[at * width : (at + 1) * width] for at, topic in enumerate(topics)}
    return {topic: _sum(own[::2], own[1::2]) for topic, own in per_topic.items()}


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
    found = await redis.execute("look", stream, "XREVRANGE", stream, "+", "-", "COUNT", count)
    return any(word.encode() in value for _, fields in found for value in fields)


def _sum(lengths: Sequence[int], firsts: Sequence[list[tuple[bytes, object]]]) -> Backlog:
    oldest = [int(entries[0][0].partition(b"-")[0]) for entries in firsts if entries]
    return Backlog(sum(lengths), min(oldest, default=None))
