"""Reading the topic streams of a partition, and settling what was read."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from shared import keys
from shared.broker.connection import Command, RedisConnectionManager, Script, ScriptCall
from shared.broker.node import BLOCKING
from shared.errors import HooklineError

NEW: Final = ">"
"""Read position: entries never delivered to anyone."""

CONSUMER: Final = "processor"
"""The one consumer name. Only the owner of a partition reads it, so whoever that is finds its predecessor's pending entries
under its own name, without claiming them."""

_BLOCK_GRACE_S: Final = 3.0
_HARMLESS: Final = ("BUSYGROUP", "OOM")
"""Refusals of a group after which the groups that are there can be used: it exists, or there is no memory for it."""
_SCRIPT: Final = Script.load("settle")

Reply = list[tuple[bytes, list[tuple[bytes, list[bytes] | None]]]]
"""XREADGROUP's answer as the server sends it: for each stream, its entries."""


class Entry(NamedTuple):
    """One stream entry. `fields` is None if its body is gone while it was still pending."""

    id: str
    fields: Sequence[bytes] | None


class DeadLetter(NamedTuple):
    """An event to be moved to the dead letters; `letter` holds the extra names and values."""

    topic: str
    entry_id: str
    letter: Sequence[str]


class Settlements(msgspec.Struct):
    """What `Consumer.settle` shall do, of one partition."""

    done: dict[str, list[str]] = {}
    """topic -> entry ids"""
    recorded: list[str] = []
    """ids of settled events whose retry record is to go"""
    failed: dict[str, str] = {}
    """event id -> retry record"""
    dead: list[DeadLetter] = []


class Consumer:
    """Reads and settles the events of one partition. `topics` are all topics the processor handles."""

    def __init__(self, redis: RedisConnectionManager, partition: int, topics: Sequence[str]) -> None:
        self._redis = redis
        self._streams = {topic: keys.topic(partition, topic) for topic in topics}
        self._topics = {stream.encode(): topic for topic, stream in self._streams.items()}
        self._retries = keys.retries(partition)
        self._script_keys = [self._retries, keys.dead(partition), *self._streams.values()]
        self._key_index = {topic: number for number, topic in enumerate(topics, start=3)}

    async def ensure_groups(self) -> int:
        """Create the consumer group on every topic stream where it is missing, from the stream's very beginning.

        Gives how many were missing. Without memory Redis creates none, but what is there can be read and settled all the same.

        Raises:
            BrokerUnavailableError: if Redis did not do it.

        """
        create = [
            Command(stream, ("XGROUP", "CREATE", stream, keys.GROUP, "0", "MKSTREAM")) for stream in self._streams.values()
        ]
        answers = await self._redis.pipeline("xgroup", create)
        for answer in answers:
            if isinstance(answer, HooklineError) and getattr(answer, "code", "") not in _HARMLESS:
                raise answer
        return sum(not isinstance(answer, HooklineError) for answer in answers)

    async def wait_for_redis(self) -> None:
        """Wait until the server of this partition answers."""
        await self._redis.monitor.wait_answers(self._retries)

    async def read(self, positions: Mapping[str, str], count: int, block_ms: int | None) -> list[tuple[str, list[Entry]]]:
        """Read up to `count` entries of each topic, after its position: `NEW`, or an entry id for our own pending ones.

        Waits up to `block_ms` milliseconds for the first entry; None means not to wait.

        Raises:
            GroupMissingError: if the group of a stream is gone.
            BrokerUnavailableError: if Redis did not answer. Entries may have become pending all the same.

        """
        names = [self._streams[topic] for topic in positions]
        wait = () if block_ms is None else ("BLOCK", block_ms)
        words = ("XREADGROUP", "GROUP", keys.GROUP, CONSUMER, "COUNT", count, *wait, "STREAMS", *names, *positions.values())
        timeout_s = (block_ms or 0) / 1000 + _BLOCK_GRACE_S
        # All reads share one pool, so that none that was given up can happen after a later one: see shared/broker/pool.py.
        reply: Reply | None = await self._redis.execute("xreadgroup", names[0], *words, timeout_s=timeout_s, pool=BLOCKING)
        return [
            (self._topics[stream], [Entry(entry_id.decode(), fields) for entry_id, fields in entries])
            for stream, entries in reply or ()
        ]

    async def retry_records(self, event_ids: Sequence[str]) -> list[bytes | None]:
        """Give the retry record of each event, None for those that never failed."""
        if not event_ids:
            return []
        records: list[bytes | None] = await self._redis.execute("hmget", self._retries, "HMGET", self._retries, *event_ids)
        return records

    async def settle(self, settlements: Settlements) -> int:
        """Do `settlements`, atomically. Safe to repeat. Gives how many dead letters were written.

        Raises:
            CommandRefusedError: if Redis refused it for what is in it.
            BrokerUnavailableError: if Redis did not confirm.

        """
        batch = (
            [(self._key_index[topic], ids) for topic, ids in settlements.done.items()],
            settlements.recorded,
            list(settlements.failed.items()),
            [(self._key_index[dead.topic], dead.entry_id, dead.letter) for dead in settlements.dead],
        )
        call = ScriptCall(self._script_keys, [keys.GROUP, msgspec.msgpack.encode(batch)])
        (written,) = await self._redis.run("settle", _SCRIPT, [call])
        if isinstance(written, HooklineError):
            raise written
        return int(written)
