"""Reading the topic streams of a partition, and settling what was read: both only while it is ours.

Redis refuses a read of several streams as a whole if one of them is missing. So every read names the token of our lease as well
(`scripts/lease.lua`), and once that is gone it takes nothing: what a late read took would be pending under nobody. Reading does
not wait for that reason, since a read that waits is not checked again; something that takes nothing waits for new entries.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from hookline_shared.keys import GROUP
from hookline_shared.redis.manager import Command, RedisConnectionManager, ScriptCall
from hookline_shared.redis.node import BLOCKING
from hookline_shared.streams.lease import Fence
from hookline_shared.streams.replies import raise_first_error
from hookline_shared.streams.scripts import load_script

NEW: Final = ">"
"""Read position: entries never delivered to anyone."""

CONSUMER: Final = "processor"
"""The one consumer name. Only the owner of a partition reads it, so whoever that is finds its predecessor's pending entries
under its own name, without claiming them."""

_BEGINNING: Final = "0-0"
_GRACE_S: Final = 3.0
_GROUPS: Final = load_script("groups")
_SETTLE: Final = load_script("settle")
_ADOPT: Final = load_script("adopt")

Reply = list[tuple[bytes, list[tuple[bytes, list[bytes] | None]]]]
"""XREADGROUP's answer as the server sends it: for each stream, its entries."""


class Entry(NamedTuple):
    """One stream entry. `fields` is None if its body is gone while it was still pending."""

    id: str
    fields: Sequence[bytes] | None


class Group(NamedTuple):
    """The consumer group of a topic: the id of the last entry that was ever read as new, and how many are pending."""

    delivered: str
    pending: int


class DeadLetterRecord(NamedTuple):
    """An event to be moved to the dead letters; `letter` holds the extra names and values."""

    topic: str
    entry_id: str
    letter: Sequence[str]


class Settlements(msgspec.Struct):
    """What `Consumer.settle` shall do, of one partition."""

    done: dict[str, list[str]] = {}
    """topic -> entry ids"""
    recorded: list[str] = []
    """names of retry records that are to go, as `record_name` gives them"""
    failed: dict[str, str] = {}
    """name of a retry record -> the record"""
    dead: list[DeadLetterRecord] = []
    attempts: dict[str, dict[str, int]] = {}
    """topic -> entry id -> how often it was attempted, for those that are done after more than one attempt"""


def record_name(topic: str, entry_id: str) -> str:
    """Return the name under which the retry record of an entry is kept."""
    return f"{topic}/{entry_id}"


class Consumer:
    """Reads and settles the events of one partition, as its owner by `fence`. `topics` are all that the processor handles.

    With `ledger`, whatever is settled goes to the ledger stream of the partition.
    """

    def __init__(
        self, redis: RedisConnectionManager, partition: int, topics: Sequence[str], fence: Fence, *, ledger: bool = False
    ) -> None:
        self._redis = redis
        self._keys = redis.keys
        self._partition = partition
        self._fence = fence
        self._token = self._keys.token(partition, *fence)
        self._streams = {topic: self._keys.topic(partition, topic) for topic in topics}
        self._topics = {stream.encode(): topic for topic, stream in self._streams.items()}
        self._retries = self._keys.retries(partition)
        self._script_keys = [
            self._keys.lease(partition),
            self._retries,
            self._keys.dead(partition),
            *self._streams.values(),
        ]
        self._ledger = ledger
        if ledger:
            self._script_keys.append(self._keys.ledger(partition))
        self._key_index = {topic: number for number, topic in enumerate(topics, start=4)}

    @property
    def topics(self) -> list[str]:
        """The topics it reads."""
        return list(self._streams)

    async def ensure_groups(self) -> int:
        """Create the consumer group on every topic stream where it is missing, from the stream's very beginning.

        Return how many were missing.

        Raises:
            BrokerUnavailableError: if Redis did not do it.

        """
        call = ScriptCall([self._keys.probe(self._partition), *self._streams.values()], [GROUP])
        (missing,) = raise_first_error(await self._redis.run("groups", _GROUPS, [call]))
        return int(missing)

    async def wait_for_redis(self) -> None:
        """Wait until the server of this partition answers."""
        await self._redis.monitor.wait_answers(self._retries)

    async def groups(self) -> dict[str, Group]:
        """Return how far each topic is.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        ask = [Command(stream, ("XINFO", "GROUPS", stream)) for stream in self._streams.values()]
        answers = raise_first_error(await self._redis.pipeline("xinfo", ask, timeout_s=_GRACE_S))
        return {topic: _our_group(groups) for topic, groups in zip(self._streams, answers, strict=True)}

    async def adopt(self) -> int:
        """Take over what is pending under other consumer names; return how many there were.

        Raises:
            FencedError: if the partition has another owner by now; nothing was done.
            BrokerUnavailableError: if Redis did not do it.

        """
        call = ScriptCall([self._keys.lease(self._partition), *self._streams.values()], [GROUP, CONSUMER, *self._fence])
        (others,) = raise_first_error(await self._redis.run("adopt", _ADOPT, [call]))
        return int(others)

    async def read(self, positions: Mapping[str, str], count: int) -> list[tuple[str, list[Entry]]]:
        """Read up to `count` entries of each topic, after its position: `NEW`, or an entry id for our own pending ones.

        Raises:
            GroupMissingError: if the group of a stream is gone, or our lease has run out; nothing was read.
            BrokerUnavailableError: if Redis did not answer. Entries may have become pending all the same.

        """
        names = [*(self._streams[topic] for topic in positions), self._token]
        words = ("XREADGROUP", "GROUP", GROUP, CONSUMER, "COUNT", str(count), "STREAMS", *names, *positions.values(), NEW)
        # All reads share one pool, so that none that was given up can happen after a later one: see pool.py.
        reply: Reply | None = await self._redis.execute("xreadgroup", names[0], *words, timeout_s=_GRACE_S, pool=BLOCKING)
        return [
            (self._topics[stream], [Entry(entry_id.decode(), fields) for entry_id, fields in entries])
            for stream, entries in reply or ()
        ]

    async def wait_for_new(self, delivered: Mapping[str, str], wait_s: float) -> bool:
        """Wait up to `wait_s` seconds until one of the topics has an entry after the last that was `delivered`; tells if so.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        names = [self._streams[topic] for topic in delivered]
        words = ("XREAD", "COUNT", "1", "BLOCK", str(round(wait_s * 1000)), "STREAMS", *names, *delivered.values())
        found = await self._redis.execute("xread", names[0], *words, timeout_s=wait_s + _GRACE_S, pool=BLOCKING)
        return found is not None

    async def entries(self, wanted: Sequence[tuple[str, str]]) -> list[Entry]:
        """Return entries that were read before, each told by its topic and id, again.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        streams = [self._streams[topic] for topic, _ in wanted]
        ask = [Command(stream, ("XRANGE", stream, entry, entry)) for stream, (_, entry) in zip(streams, wanted, strict=True)]
        answers = raise_first_error(await self._redis.pipeline("xrange", ask)) if ask else []
        return [Entry(entry, found[0][1] if found else None) for (_, entry), found in zip(wanted, answers, strict=True)]

    async def retry_records(self, names: Sequence[str]) -> list[bytes | None]:
        """Return the retry record of each name, None for those that never failed."""
        if not names:
            return []
        records: list[bytes | None] = await self._redis.execute("hmget", self._retries, "HMGET", self._retries, *names)
        return records

    async def settle(self, settlements: Settlements) -> int:
        """Do `settlements`, atomically. Safe to repeat. Return how many dead letters were written.

        Raises:
            FencedError: if the partition has another owner by now; nothing was done.
            CommandRefusedError: if Redis refused it for what is in it.
            BrokerUnavailableError: if Redis did not confirm.

        """
        batch = (
            self._done(settlements),
            settlements.recorded,
            list(settlements.failed.items()),
            [(self._key_index[dead.topic], dead.entry_id, dead.letter) for dead in settlements.dead],
        )
        arguments: list[str | bytes | int] = [GROUP, *self._fence, msgspec.msgpack.encode(batch)]
        if self._ledger:
            arguments.append("ledger")
        (written,) = raise_first_error(await self._redis.run("settle", _SETTLE, [ScriptCall(self._script_keys, arguments)]))
        return int(written)

    def _done(self, settlements: Settlements) -> list[tuple[Any, ...]]:
        index, done, attempts = self._key_index, settlements.done.items(), settlements.attempts
        if self._ledger:
            return [(index[topic], ids, topic, attempts.get(topic, {})) for topic, ids in done]
        return [(index[topic], ids) for topic, ids in done]


def _our_group(groups: Sequence[Sequence[Any]]) -> Group:
    """Read it from XINFO GROUPS: of each group, names and values by turns."""
    for info in (dict(zip(group[::2], group[1::2], strict=True)) for group in groups):
        if info[b"name"] == GROUP.encode():
            return Group(info[b"last-delivered-id"].decode(), int(info[b"pending"]))
    return Group(_BEGINNING, 0)
