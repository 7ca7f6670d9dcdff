"""Reads the topic streams of a partition and settles its events, both only while this processor owns the partition.

Redis refuses a read of several streams as a whole if one of them is missing. So every read also names the token of our lease
(`scripts/lease.lua`), and reads nothing once the lease has expired: otherwise entries would be pending without an owner. These
reads do not block for the same reason, since Redis does not check a blocked read again. A read without the group waits instead.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from hookline_shared.redis.manager import Command, RedisConnectionManager, ScriptCall
from hookline_shared.redis.node import BLOCKING
from hookline_shared.redis_keys import GROUP
from hookline_shared.streams.ownership.lease import Fence
from hookline_shared.streams.redis_answers import raise_first_error
from hookline_shared.streams.scripts import load_script
from hookline_shared.streams.settlements import Outputs, Settlements, SettleResult

NEW: Final = ">"
"""Read position: entries that were never delivered."""

CONSUMER: Final = "processor"
"""The consumer of entries that are in the memory of the owner, or were when it died. Only the owner of a partition reads it, so
a new owner finds the pending entries of the previous one under the same name, without claiming them."""

WAITING: Final = "waiting"
"""The consumer of pending entries that are in the waiting index and not in memory: see `waiting.py`."""

_BEGINNING: Final = "0-0"
_GRACE_S: Final = 3.0
_GROUPS: Final = load_script("groups")
_SETTLE: Final = load_script("settle")
_ADOPT: Final = load_script("adopt")

Reply = list[tuple[bytes, list[tuple[bytes, list[bytes] | None]]]]
"""XREADGROUP's answer as the server sends it: for each stream, its entries."""


class Entry(NamedTuple):
    """One stream entry. `fields` is None if the entry was deleted while it was pending."""

    id: str
    fields: Sequence[bytes] | None


class Group(NamedTuple):
    """The consumer group of a topic: the id of the last delivered entry, and the number of pending ones by consumer."""

    delivered: str
    in_memory: int
    waiting: int


class Consumer:
    """Reads and settles the events of one partition, as its owner by `fence`. `topics` are all topics of the processor.

    With `ledger`, settled events are copied to the ledger stream of the partition.
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
        """Create the consumer group on every topic stream that lacks it, from the start of the stream.

        Return the number of groups that were missing.

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
        """Return the consumer group of each topic.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        questions = [(stream, ("GROUPS", stream), ("CONSUMERS", stream, GROUP)) for stream in self._streams.values()]
        ask = [Command(stream, ("XINFO", *words)) for stream, *both in questions for words in both]
        answers = raise_first_error(await self._redis.pipeline("xinfo", ask, timeout_s=_GRACE_S))
        return {
            topic: _our_group(groups, consumers)
            for topic, groups, consumers in zip(self._streams, answers[::2], answers[1::2], strict=True)
        }

    async def adopt(self) -> tuple[int, Mapping[str, int]]:
        """Take over the pending entries of other consumers.

        Return the number of those consumers, and for each topic the number of entries that Redis dropped, since their bodies
        were missing. Redis does so since 7.0; an earlier one hands them over, and they are read as entries without a body.

        Raises:
            FencedError: if the partition has another owner now; nothing was done.
            BrokerUnavailableError: if Redis did not do it.

        """
        call = ScriptCall([self._keys.lease(self._partition), *self._streams.values()], [GROUP, *self._fence])
        ((others, *gone),) = raise_first_error(await self._redis.run("adopt", _ADOPT, [call]))
        return others, dict(zip(self._streams, gone, strict=True))

    async def read(self, positions: Mapping[str, str], count: int) -> list[tuple[str, list[Entry]]]:
        """Read up to `count` entries of each topic, after its position: `NEW`, or an entry id for our own pending ones.

        Raises:
            GroupMissingError: if a stream has no group, or our lease has expired; nothing was read.
            BrokerUnavailableError: if Redis did not answer. Entries may have become pending all the same.

        """
        names = [*(self._streams[topic] for topic in positions), self._token]
        words = ("XREADGROUP", "GROUP", GROUP, CONSUMER, "COUNT", str(count), "STREAMS", *names, *positions.values(), NEW)
        # All reads share one pool, so that an abandoned one cannot happen after a later one: see pool.py.
        reply: Reply | None = await self._redis.execute("xreadgroup", names[0], *words, timeout_s=_GRACE_S, pool=BLOCKING)
        return [
            (self._topics[stream], [Entry(entry_id.decode(), fields) for entry_id, fields in entries])
            for stream, entries in reply or ()
        ]

    async def wait_for_new(self, delivered: Mapping[str, str], wait_s: float) -> bool:
        """Wait up to `wait_s` seconds for an entry after the `delivered` one of its topic; return whether there is one.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        names = [self._streams[topic] for topic in delivered]
        words = ("XREAD", "COUNT", "1", "BLOCK", str(round(wait_s * 1000)), "STREAMS", *names, *delivered.values())
        found = await self._redis.execute("xread", names[0], *words, timeout_s=wait_s + _GRACE_S, pool=BLOCKING)
        return found is not None

    async def retry_records(self, names: Sequence[str]) -> list[bytes | None]:
        """Return the retry record of each name, None if there is none."""
        if not names:
            return []
        records: list[bytes | None] = await self._redis.execute("hmget", self._retries, "HMGET", self._retries, *names)
        return records

    async def settle(self, settlements: Settlements) -> SettleResult:
        """Apply `settlements` atomically. Safe to repeat.

        Raises:
            FencedError: if the partition has another owner now; nothing was done.
            CommandRefusedError: if Redis refused its content.
            BrokerUnavailableError: if Redis did not confirm.

        """
        batch: tuple[Any, ...] = (
            self._done(settlements),
            settlements.recorded,
            list(settlements.failed.items()),
            [(self._key_index[dead.topic], dead.entry_id, dead.letter) for dead in settlements.dead],
            settlements.leaving,
            settlements.waiting,
        )
        if settlements.outputs or settlements.answers:  # events without any cost nothing
            batch += ([self._output(one) for one in settlements.outputs],)
        if settlements.answers:
            batch += ([(self._key_index[one.topic], *one[1:]) for one in settlements.answers],)
        space = self._keys.space(self._partition)
        arguments: list[str | bytes | int] = [GROUP, *self._fence, space, msgspec.msgpack.encode(batch)]
        if self._ledger:
            arguments.append("ledger")
        call = ScriptCall(self._script_keys, arguments)
        ((written, gone, stale),) = raise_first_error(await self._redis.run("settle", _SETTLE, [call]))
        return SettleResult(int(written), _named_entries(gone), _named_entries(stale))

    def _output(self, one: Outputs) -> tuple[Any, ...]:
        item = (self._key_index[one.topic], one.entry_id, one.messages)
        return item if one.memory is None else (*item, one.topic, one.memory, one.with_it)

    def _done(self, settlements: Settlements) -> list[tuple[Any, ...]]:
        index, done, attempts, sids = self._key_index, settlements.done.items(), settlements.attempts, settlements.sids
        if self._ledger:
            return [(index[topic], ids, topic, attempts.get(topic, {}), sids.get(topic, {})) for topic, ids in done]
        return [(index[topic], ids) for topic, ids in done]


def _named_entries(entries: Sequence[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(topic.decode(), entry.decode()) for topic, entry in entries]


def _our_group(groups: Sequence[Sequence[Any]], consumers: Sequence[Sequence[Any]]) -> Group:
    """Return our group from the answers to XINFO GROUPS and XINFO CONSUMERS: names and values in turn for each."""
    pending = {info[b"name"]: int(info[b"pending"]) for info in map(_named, consumers)}
    in_memory, waiting = (pending.get(name.encode(), 0) for name in (CONSUMER, WAITING))
    for info in map(_named, groups):
        if info[b"name"] == GROUP.encode():
            return Group(info[b"last-delivered-id"].decode(), in_memory, waiting)
    return Group(_BEGINNING, in_memory, waiting)


def _named(words: Sequence[Any]) -> dict[bytes, Any]:
    return dict(zip(words[::2], words[1::2], strict=True))
