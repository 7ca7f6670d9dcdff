"""Reads, replays and discards dead letters."""

from collections.abc import AsyncIterator, Sequence
from enum import IntEnum
from functools import partial
from typing import Final, NamedTuple

from hookline_shared.dead_letter import DeadLetter, DeadLetterId
from hookline_shared.redis.manager import Command, RedisConnectionManager, ScriptCall
from hookline_shared.streams.paging import FIRST, LAST, page_size, pages, read_page
from hookline_shared.streams.redis_answers import raise_first_error
from hookline_shared.streams.scripts import load_script

RECORDS_KEPT: Final = 10_000
"""Approximate limit of the records of discarded letters in each partition."""

_MOST_FOUND: Final = 500
_CALL_BYTES: Final = 4 << 20
"""The bytes of letters after which a script returns, so that it does not block Redis, and what it does fits into the buffers of
the replicas."""
_REPLAY: Final = load_script("replay")
_DISCARD: Final = load_script("discard")


class Replayed(IntEnum):
    """The outcome for one letter; the values are the script's."""

    DONE = 1
    GONE = 0
    EMPTY = -1


class Move(NamedTuple):
    """A letter to be replayed: its entry id, and the topic to which it moves."""

    entry: str
    topic: str


class Discarded(NamedTuple):
    """The record of a discarded letter. `at` is Unix time in milliseconds by the clock of Redis."""

    at: int
    fields: dict[str, str]


class DeadLetterStreams:
    """The dead letters of `partitions` partitions."""

    def __init__(self, redis: RedisConnectionManager, partitions: int) -> None:
        self._redis = redis
        self._keys = redis.keys
        self.partitions = partitions

    async def count(self) -> int:
        """Return the number of dead letters.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        streams = [self._keys.dead(partition) for partition in range(self.partitions)]
        lengths = await self._redis.pipeline("xlen", [Command(stream, ("XLEN", stream)) for stream in streams])
        return sum(map(int, raise_first_error(lengths)))

    async def pages(self, partition: int, first: str = FIRST, last: str = LAST) -> AsyncIterator[list[DeadLetter]]:
        """Yield the letters of `partition` whose entry ids are from `first` to `last`, oldest first, page by page.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        async for page in pages(self._redis, self._keys.dead(partition), first, last):
            yield [DeadLetter(partition, entry.id, entry.fields or ()) for entry in page]

    async def find(self, ids: Sequence[DeadLetterId]) -> AsyncIterator[DeadLetter | None]:
        """Yield the letter of each id, None if it does not exist.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        size, at = page_size(_MOST_FOUND), 0
        while at < len(ids):
            found = await read_page(size, partial(self._find, ids, at))
            size.succeeded(len(found), sum(letter.size for letter in found if letter))
            at += len(found)
            for letter in found:
                yield letter

    async def _find(self, ids: Sequence[DeadLetterId], at: int, count: int) -> list[DeadLetter | None]:
        some = ids[at : at + count]
        named = ((self._keys.dead(partition), entry) for partition, entry in some)
        ask = [Command(stream, ("XRANGE", stream, entry, entry)) for stream, entry in named]
        answers = raise_first_error(await self._redis.pipeline("xrange", ask))
        return [
            DeadLetter(letter_id.partition, letter_id.entry, found[0][1]) if found else None
            for letter_id, found in zip(some, answers, strict=True)
        ]

    async def replay(self, partition: int, moves: Sequence[Move]) -> list[Replayed]:
        """Move letters of `partition` to their topics, in this order, in calls that are bounded by bytes. Safe to repeat.

        Raises:
            BrokerUnavailableError: if Redis did not confirm. The first ones of `moves` may have been replayed.

        """
        results: list[Replayed] = []
        while left := moves[len(results) :]:
            topics = list(dict.fromkeys(move.topic for move in left))
            names = [self._keys.dead(partition), *(self._keys.topic(partition, topic) for topic in topics)]
            arguments = [word for move in left for word in (move.entry, topics.index(move.topic) + 2)]
            call = ScriptCall(names, [_CALL_BYTES, *arguments])
            (answer,) = raise_first_error(await self._redis.run("replay", _REPLAY, [call]))
            results += map(Replayed, answer)
        return results

    async def discard(self, partition: int, entries: Sequence[str], who: str, why: str) -> int:
        """Discard letters of `partition`, with a record of each; return the number that existed. Safe to repeat.

        Raises:
            BrokerUnavailableError: if Redis did not confirm. The first ones of `entries` may have been discarded.

        """
        names = [self._keys.dead(partition), self._keys.discarded(partition)]
        results: list[int] = []
        while left := entries[len(results) :]:
            call = ScriptCall(names, [who, why, RECORDS_KEPT, _CALL_BYTES, *left])
            (answer,) = raise_first_error(await self._redis.run("discard", _DISCARD, [call]))
            results += answer
        return sum(results)

    async def discarded(self, partition: int) -> AsyncIterator[list[Discarded]]:
        """Yield the records of discarded letters of `partition`, oldest first, page by page.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        async for page in pages(self._redis, self._keys.discarded(partition)):
            yield [Discarded(int(entry.id.partition("-")[0]), _texts(entry.fields or ())) for entry in page]


def _texts(fields: Sequence[bytes]) -> dict[str, str]:
    words = [word.decode(errors="replace") for word in fields]
    return dict(zip(words[::2], words[1::2], strict=True))
