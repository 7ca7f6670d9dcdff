"""Counts the dead letters by topic, without transferring them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from hookline_shared.clock import Clock
from hookline_shared.redis.manager import Command, RedisConnectionManager, ScriptCall
from hookline_shared.streams.redis_answers import raise_first_error
from hookline_shared.streams.scripts import load_script

FIRST: Final = "-"
"""The start of the letters of a partition."""

_SCRIPT: Final = load_script("dead_topics")
_PAGE: Final = 500
_PAGE_BYTES: Final = 4 << 20
"""Letters counted at once, and their bytes: so few that Redis is not blocked."""
_SHARE: Final = 0.01
"""The largest share of the time for counting again."""


class Page(NamedTuple):
    """The letters of one page by topic, the start of the next page, and whether there may be more letters."""

    topics: Counter[str]
    next: str
    more: bool


async def count_by_topic(redis: RedisConnectionManager, places: Sequence[tuple[int, str]]) -> list[Page]:
    """Count one page for each of `places`, a partition and the start of the page; a letter without a topic counts as "".

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    calls = [ScriptCall([redis.keys.dead(partition)], [start, _PAGE, _PAGE_BYTES]) for partition, start in places]
    answers = raise_first_error(await redis.run("census", _SCRIPT, calls))
    return [_page(answer, start) for answer, (_, start) in zip(answers, places, strict=True)]


def _page(answer: Sequence[Any], start: str) -> Page:
    last, more, *counts = answer
    topics = Counter({name.decode(errors="replace"): int(count) for name, count in zip(counts[::2], counts[1::2], strict=True)})
    return Page(topics, f"({last.decode()}" if last else start, bool(more))


class DeadLetterCounts:
    """Counts the dead letters of `partitions` partitions by topic. An update reads only the new ones.

    If some were replayed or discarded, the partition is counted again, within a share of the time.
    """

    def __init__(self, redis: RedisConnectionManager, partitions: int, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock
        self._counted = [Counter[str]() for _ in range(partitions)]
        self._next = [FIRST] * partitions
        self._anew_at = 0.0

    async def update(self) -> Counter[str]:
        """Return the present counts.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        await self._advance(range(len(self._counted)))
        began = self._clock.monotonic()
        if began >= self._anew_at and (reduced := await self._reduced()):
            for partition in reduced:
                self._counted[partition], self._next[partition] = Counter(), FIRST
            await self._advance(reduced)
            now = self._clock.monotonic()
            self._anew_at = now + (now - began) / _SHARE
        return sum(self._counted, Counter())

    async def _advance(self, partitions: Sequence[int]) -> None:
        while partitions:
            pages = await count_by_topic(self._redis, [(partition, self._next[partition]) for partition in partitions])
            for partition, page in zip(partitions, pages, strict=True):
                self._counted[partition] += page.topics
                self._next[partition] = page.next
            partitions = [partition for partition, page in zip(partitions, pages, strict=True) if page.more]

    async def _reduced(self) -> list[int]:
        """Return the partitions with fewer letters than were counted."""
        streams = [self._redis.keys.dead(partition) for partition in range(len(self._counted))]
        lengths = raise_first_error(
            await self._redis.pipeline("census", [Command(stream, ("XLEN", stream)) for stream in streams])
        )
        return [partition for partition, length in enumerate(lengths) if length < self._counted[partition].total()]
