"""Follows the events of all partitions as an observer, without a consumer group.

Redis delivers a new entry to blocked reads before it carries out the next command, so a blocked read sees entries that are
settled a moment later. Entries between two reads may be missed. Dead letters are never missed, since they stay.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from hookline_shared.dead_letter import DeadLetter
from hookline_shared.errors import CommandRefusedError
from hookline_shared.redis.manager import Command, RedisConnectionManager, ScriptCall
from hookline_shared.redis.node import BLOCKING
from hookline_shared.redis.pool import CommandArgs
from hookline_shared.streams.consume import Entry
from hookline_shared.streams.replies import raise_first_error
from hookline_shared.streams.scripts import load_script

_PRESENT: Final = load_script("present")
_BEGINNING: Final = "0-0"
_BATCH: Final = 500
_GRACE_S: Final = 3.0


class StreamPosition(NamedTuple):
    """The position of an event: the stream of a topic, and its entry id there."""

    partition: int
    topic: str
    entry: str


class Arrival(NamedTuple):
    """A new entry."""

    place: StreamPosition
    fields: Sequence[bytes]


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
        self._seen: dict[bytes, str] = {}

    def groups(self) -> list[list[int]]:
        """Return the partitions that one read can wait for together: in a cluster a single one."""
        return [[partition] for partition in self._partitions] if self._redis.clustered else [list(self._partitions)]

    async def start(self) -> None:
        """Start after the present entries.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        streams = [*self._streams, *(self._keys.dead(partition).encode() for partition in self._partitions)]
        ask = [Command(stream.decode(), ("XINFO", "STREAM", stream)) for stream in streams]
        answers = await self._redis.pipeline("xinfo", ask)
        found = raise_first_error([None if isinstance(one, CommandRefusedError) else one for one in answers])
        self._seen = dict(zip(streams, map(_last_id, found), strict=True))

    async def wait(self, partitions: Sequence[int], wait_s: float) -> list[Arrival]:
        """Wait up to `wait_s` seconds for entries of `partitions`, one of `groups`, and return them.

        Raises:
            BrokerUnavailableError: if Redis did not answer. The next call returns the entries.

        """
        names = [stream for stream, (partition, _) in self._streams.items() if partition in partitions]
        after = [self._seen[stream] for stream in names]
        words: CommandArgs = ("XREAD", "COUNT", _BATCH, "BLOCK", round(wait_s * 1000), "STREAMS", *names, *after)
        key = names[0].decode()
        reply = await self._redis.execute("xread", key, *words, timeout_s=wait_s + _GRACE_S, pool=BLOCKING)
        return [
            Arrival(StreamPosition(*self._streams[stream], entry.id), entry.fields or ())
            for stream, entry in self._advance(reply or ())
        ]

    async def new_dead_letters(self) -> list[DeadLetter]:
        """Return the dead letters since the last call, in the order of each partition.

        Raises:
            BrokerUnavailableError: if Redis did not answer. The next call returns them.

        """
        streams = {self._keys.dead(partition).encode(): partition for partition in self._partitions}
        ask = [
            Command(stream.decode(), ("XREAD", "COUNT", _BATCH, "STREAMS", stream, self._seen[stream])) for stream in streams
        ]
        answers = raise_first_error(await self._redis.pipeline("xread", ask))
        found = [pair for reply in answers for pair in self._advance(reply or ())]
        return [DeadLetter(streams[stream], entry.id, entry.fields or ()) for stream, entry in found]

    async def removed(self, followed: Sequence[StreamPosition]) -> list[StreamPosition]:
        """Return those of `followed` that are no longer in their streams.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        batches = list(_batches(followed))
        answers = raise_first_error(await self._redis.run("present", _PRESENT, [self._call(batch) for batch in batches]))
        return [
            place
            for batch, results in zip(batches, answers, strict=True)
            for place, there in zip(batch, results, strict=True)
            if not there
        ]

    def _call(self, batch: Sequence[StreamPosition]) -> ScriptCall:
        numbers = {topic: number for number, topic in enumerate(self._topics, start=1)}
        names = [self._keys.topic(batch[0].partition, topic) for topic in self._topics]
        return ScriptCall(names, [word for place in batch for word in (place.entry, numbers[place.topic])])

    def _advance(self, reply: Sequence[tuple[bytes, Sequence[tuple[bytes, Any]]]]) -> Iterator[tuple[bytes, Entry]]:
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
