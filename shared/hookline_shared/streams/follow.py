"""Follows the events of all partitions as an observer, without a consumer group.

Redis delivers a new entry to blocked reads before it carries out the next command, so a blocked read sees entries that are
settled a moment later. Entries between two reads may be missed. Dead letters are never missed, since they stay.

A read of many streams returns an entry of each at least. If that is too large for the connection, a few streams are read at a
time, without waiting, until all may be read together again.
"""

from collections import deque
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from hookline_shared.batch_size import READ_BYTES, BatchSize
from hookline_shared.dead_letter import DeadLetter
from hookline_shared.errors import BrokerUnavailableError, CommandRefusedError
from hookline_shared.redis.manager import Command, RedisConnectionManager, ScriptCall
from hookline_shared.redis.node import BLOCKING
from hookline_shared.redis.pool import CommandArgs
from hookline_shared.streams.consume import Entry
from hookline_shared.streams.paging import bytes_of
from hookline_shared.streams.redis_answers import raise_first_error
from hookline_shared.streams.scripts import load_script

_PRESENT: Final = load_script("present")
_BEGINNING: Final = "0-0"
_BATCH: Final = 500
_FIRST_OF_STREAM: Final = 2
_SCRIPT_BYTES: Final = 4 << 20
"""The bytes of entries after which a script returns, so that it does not block Redis."""
_GRACE_S: Final = 3.0


_StreamEntries = tuple[bytes, Sequence[tuple[bytes, Any]]]
"""A stream, and the ids and fields of its entries."""


class StreamPosition(NamedTuple):
    """The position of an event: the stream of a topic, and its entry id there."""

    partition: int
    topic: str
    entry: str


class Arrival(NamedTuple):
    """A new entry."""

    place: StreamPosition
    fields: Sequence[bytes]


class _Reads:
    """The reads of some streams: `next_streams` are read at once, up to `count` entries of each."""

    def __init__(self, streams: Sequence[bytes]) -> None:
        self._streams = deque(streams)
        self._size = BatchSize(_BATCH * len(streams), READ_BYTES * len(streams), _FIRST_OF_STREAM * len(streams))

    @property
    def together(self) -> bool:
        """Whether the next read is of all streams, so that it may wait for entries."""
        return self._size.count >= len(self._streams)

    @property
    def count(self) -> int:
        return max(1, min(_BATCH, self._size.count // len(self._streams)))

    def next_streams(self) -> list[bytes]:
        """Return the streams to read now: all, or some in turn."""
        return list(islice(self._streams, self._size.count))

    def succeeded(self, read: int, found: Sequence[Entry]) -> None:
        self._streams.rotate(-read)
        self._size.succeeded(len(found), bytes_of(found))

    def failed(self) -> None:
        self._size.failed()


class Follower:
    """Follows `topics` of `partitions` partitions from `start` on."""

    def __init__(self, redis: RedisConnectionManager, partitions: int, topics: Sequence[str]) -> None:
        self._redis = redis
        self._keys = redis.keys
        self._partitions = range(partitions)
        self._topics = topics
        self._streams = {
            self._keys.topic(partition, topic).encode(): (partition, topic)
            for partition in self._partitions
            for topic in topics
        }
        self._dead = {self._keys.dead(partition).encode(): partition for partition in self._partitions}
        self._seen: dict[bytes, str] = {}
        self._reads: dict[tuple[int, ...], _Reads] = {}
        self._dead_reads = _Reads(list(self._dead))

    def groups(self) -> list[list[int]]:
        """Return the partitions that one read can wait for together: in a cluster a single one."""
        return [[partition] for partition in self._partitions] if self._redis.clustered else [list(self._partitions)]

    async def start(self) -> None:
        """Start after the present entries.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        streams = [*self._streams, *self._dead]
        ask = [Command(stream.decode(), ("XINFO", "STREAM", stream)) for stream in streams]
        answers = await self._redis.pipeline("xinfo", ask)
        found = raise_first_error([None if isinstance(one, CommandRefusedError) else one for one in answers])
        self._seen = dict(zip(streams, map(_last_id, found), strict=True))

    async def wait(self, partitions: Sequence[int], wait_s: float) -> list[Arrival]:
        """Wait up to `wait_s` seconds for entries of `partitions`, one of `groups`, and return them.

        Raises:
            BrokerUnavailableError: if Redis did not answer. The next call returns the entries.

        """
        reads = self._reads_of(tuple(partitions))
        names = reads.next_streams()
        block = ("BLOCK", round(wait_s * 1000)) if reads.together else ()
        words: CommandArgs = ("XREAD", "COUNT", reads.count, *block, "STREAMS", *names, *map(self._seen.__getitem__, names))
        read = self._redis.execute("xread", names[0].decode(), *words, timeout_s=wait_s + _GRACE_S, pool=BLOCKING)
        return [
            Arrival(StreamPosition(*self._streams[stream], entry.id), entry.fields or ())
            for stream, entry in await self._noted(reads, len(names), read)
        ]

    async def new_dead_letters(self) -> tuple[list[DeadLetter], bool]:
        """Return some dead letters since the last call, in the order of each partition, and whether there may be more.

        Raises:
            BrokerUnavailableError: if Redis did not answer. The next call returns them.

        """
        reads = self._dead_reads
        names, together = reads.next_streams(), reads.together
        words = ("XREAD", "COUNT", reads.count, "STREAMS")
        ask = [Command(name.decode(), (*words, name, self._seen[name])) for name in names]
        found = await self._noted(reads, len(names), self._read_each(ask))
        letters = [DeadLetter(self._dead[stream], entry.id, entry.fields or ()) for stream, entry in found]
        return letters, bool(letters) or not together

    async def _read_each(self, ask: Sequence[Command]) -> list[_StreamEntries]:
        answers = raise_first_error(await self._redis.pipeline("xread", ask))
        return [entries for reply in answers for entries in reply or ()]

    async def _noted(
        self, reads: _Reads, streams: int, read: Awaitable[Sequence[_StreamEntries] | None]
    ) -> list[tuple[bytes, Entry]]:
        """Return the entries of `read`, which is of so many streams, and note its size or failure."""
        try:
            found = list(self._advance(await read or ()))
        except BrokerUnavailableError:
            reads.failed()
            raise
        reads.succeeded(streams, [entry for _, entry in found])
        return found

    def _reads_of(self, partitions: tuple[int, ...]) -> _Reads:
        if partitions not in self._reads:
            names = [stream for stream, (partition, _) in self._streams.items() if partition in partitions]
            self._reads[partitions] = _Reads(names)
        return self._reads[partitions]

    async def removed(self, followed: Sequence[StreamPosition]) -> list[StreamPosition]:
        """Return those of `followed` that are no longer in their streams.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        gone: list[StreamPosition] = []
        left = list(_batches(followed))
        while left:
            answers = raise_first_error(await self._redis.run("present", _PRESENT, [self._call(batch) for batch in left]))
            pairs = list(zip(left, answers, strict=True))
            gone += [place for batch, results in pairs for place, there in zip(batch, results, strict=False) if not there]
            left = [batch[len(results) :] for batch, results in pairs if len(results) < len(batch)]
        return gone

    def _call(self, batch: Sequence[StreamPosition]) -> ScriptCall:
        numbers = {topic: number for number, topic in enumerate(self._topics, start=1)}
        names = [self._keys.topic(batch[0].partition, topic) for topic in self._topics]
        return ScriptCall(names, [_SCRIPT_BYTES, *(word for place in batch for word in (place.entry, numbers[place.topic]))])

    def _advance(self, reply: Sequence[_StreamEntries]) -> Iterator[tuple[bytes, Entry]]:
        """Yield each entry with its stream, and advance the position of the stream."""
        for stream, entries in reply:
            for entry_id, fields in entries:
                self._seen[stream] = entry_id.decode()
                yield stream, Entry(self._seen[stream], fields)


def _batches(followed: Sequence[StreamPosition]) -> Iterator[list[StreamPosition]]:
    by_partition: dict[int, list[StreamPosition]] = {}
    for place in followed:
        by_partition.setdefault(place.partition, []).append(place)
    for places in by_partition.values():
        yield from (places[at : at + _BATCH] for at in range(0, len(places), _BATCH))


def _last_id(answer: Sequence[Any] | None) -> str:
    """Return the id of the last entry from the answer to XINFO STREAM; None, a refusal, means that there is no stream yet."""
    if answer is None:
        return _BEGINNING
    info: Mapping[bytes, Any] = dict(zip(answer[::2], answer[1::2], strict=True))
    return str(info[b"last-generated-id"].decode())
