"""Who reads which streams, as it is in Redis. Only `register` changes something: it names the topics that a service writes."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from hookline_shared.partitions import ranges
from hookline_shared.readers.published import Published, decode
from hookline_shared.redis.manager import Command, RedisConnectionManager
from hookline_shared.streams.ownership.lease import Lease
from hookline_shared.streams.ownership.membership import leases, members
from hookline_shared.streams.redis_answers import raise_first_error

_OPERATION: Final = "readers"
_UNKNOWN_LEASE_S: Final = 60.0
"""How long a processor that publishes nothing may be silent, in seconds. What one publishes expires later than this."""

_SAME_TOPICS: Final = "Give the processors the same [topics] as ingress in the TOML file (HOOKLINE_CONFIG), and restart them."


class Gap(NamedTuple):
    """Something that nobody reads or handles, what that means, and what to do: three sentences."""

    found: str
    meaning: str
    remedy: str

    def __str__(self) -> str:
        return " ".join(self)


class Processor(NamedTuple):
    """A processor that is alive. `published` is None if it published nothing that this version can read."""

    name: str
    silent_ms: int
    published: Published | None


class Survey(NamedTuple):
    """The processors that are alive, the lease of each partition, and the streams with events of topics written by others.

    `waiting` has, by topic, the partitions whose stream has events. The topics are those that some service has registered, now
    or earlier, and the caller does not write itself.
    """

    processors: Sequence[Processor]
    leases: Sequence[Lease]
    waiting: Mapping[str, Collection[int]]

    def unowned(self) -> list[int]:
        """Return the partitions without an owner."""
        return [number for number, lease in enumerate(self.leases) if not lease.left_ms]

    def unread(self, written: Collection[str]) -> dict[str, list[int]]:
        """Return the topics that the owners of partitions do not read, with these partitions.

        The topics are `written`, with events or without, and all others that have some. An owner that publishes nothing is
        believed to read everything, since an older version may.
        """
        everywhere = range(len(self.leases))
        asked = {**self.waiting, **dict.fromkeys(written, everywhere)}
        found = {
            topic: [number for number in partitions if not self._reads(number, topic)] for topic, partitions in asked.items()
        }
        return {topic: partitions for topic, partitions in found.items() if partitions}

    def miscounting(self) -> dict[str, int]:
        """Return the processors that have another number of partitions than the caller, with that number."""
        counts = {one.name: one.published.partitions for one in self.processors if one.published is not None}
        return {name: count for name, count in counts.items() if count != len(self.leases)}

    def gaps(self, written: Collection[str]) -> list[Gap]:
        """Return everything that nobody reads: all, partitions, or `written` and other topics."""
        if not self.processors:
            return [Gap("No processor is running.", "No event is handled.", "Start one: hookline processor.")]
        unowned = self.unowned()
        found = [_unowned(unowned)] if unowned else []
        found += [_miscounted(name, count, len(self.leases)) for name, count in self.miscounting().items()]
        return found + self.unread_gaps(written)

    def unread_gaps(self, written: Collection[str]) -> list[Gap]:
        """Return the topics that the owners of partitions do not read, as gaps."""
        return [
            Gap(f"Nobody reads topic {topic} in {_named(partitions)}.", "Its events are accepted, and wait.", _SAME_TOPICS)
            for topic, partitions in self.unread(written).items()
        ]

    def _reads(self, number: int, topic: str) -> bool:
        lease = self.leases[number]
        owner = next((one.published for one in self.processors if one.name == lease.owner), None)
        return not lease.left_ms or owner is None or topic in owner.topics


async def survey(redis: RedisConnectionManager, partitions: int, written: Collection[str] = ()) -> Survey:
    """Return who reads which streams. `written` are the topics that the caller writes.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    processors = await _processors(redis)
    others = [topic for topic in await registered(redis) if topic not in written]
    return Survey(processors, await leases(redis, partitions), await _waiting(redis, partitions, others))


async def register(redis: RedisConnectionManager, topics: Collection[str], now_ms: int) -> None:
    """Record that `topics` are written, so that everybody can find out whether they are read. Safe to repeat.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    key = redis.keys.topics
    raise_first_error(await redis.pipeline(_OPERATION, [Command(key, ("HSETNX", key, topic, now_ms)) for topic in topics]))


async def registered(redis: RedisConnectionManager) -> list[str]:
    """Return the topics that were ever written, sorted.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    key, cursor, found = redis.keys.topics, b"0", set[str]()
    while True:
        cursor, pairs = await redis.execute(_OPERATION, key, "HSCAN", key, cursor, "COUNT", 1000)
        found.update(name.decode() for name in pairs[::2])
        if int(cursor) == 0:
            return sorted(found)


async def _processors(redis: RedisConnectionManager) -> list[Processor]:
    present = await members(redis)
    keys = [redis.keys.about(one.name) for one in present]
    answers = raise_first_error(await redis.pipeline(_OPERATION, [Command(key, ("GET", key)) for key in keys])) if keys else []
    found = [Processor(*one, decode(answer)) for one, answer in zip(present, answers, strict=True)]
    return [one for one in found if one.silent_ms <= 1000 * (one.published.lease_s if one.published else _UNKNOWN_LEASE_S)]


async def _waiting(redis: RedisConnectionManager, partitions: int, topics: Collection[str]) -> dict[str, list[int]]:
    streams = [(topic, number, redis.keys.topic(number, topic)) for topic in topics for number in range(partitions)]
    if not streams:
        return {}
    lengths = raise_first_error(await redis.pipeline(_OPERATION, [Command(key, ("XLEN", key)) for _, _, key in streams]))
    found: dict[str, list[int]] = {}
    for (topic, number, _), length in zip(streams, lengths, strict=True):
        if length:
            found.setdefault(topic, []).append(number)
    return found


def _unowned(partitions: Collection[int]) -> Gap:
    remedy = "A processor should take them within its lease (PROCESSOR_LEASE_S); if none does, see its log and /readyz?verbose."
    return Gap(f"No processor owns {_named(partitions)}.", "The events there wait.", remedy)


def _miscounted(name: str, count: int, expected: int) -> Gap:
    found = f"Processor {name} counts {count} partitions, and there are {expected}."
    return Gap(found, "Events can be left unread, or be out of order.", "Set HOOKLINE_PARTITIONS to the same for all services.")


def _named(partitions: Collection[int]) -> str:
    return f"partition{'s' * (len(partitions) > 1)} {ranges(partitions)}"
