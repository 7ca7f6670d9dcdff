"""The waiting index of a partition: the lanes whose first event may not be attempted yet, kept in Redis alone.

`scripts/waiting/waiting_index.lua` draws its keys. The processor that owns the partition moves lanes into the index when it
settles (`Settlements.waiting` in `consume.py`), and takes them out again as here. Every call names the fence, so it is refused
for a former owner, and is safe to repeat.
"""

from base64 import b64encode
from collections.abc import Sequence
from enum import IntEnum
from hashlib import blake2b
from math import inf
from typing import Any, Final, NamedTuple

import msgspec

from hookline_shared.redis.manager import RedisConnectionManager, Script, ScriptCall
from hookline_shared.redis_keys import GROUP
from hookline_shared.streams.consume import CONSUMER
from hookline_shared.streams.ownership.lease import Fence
from hookline_shared.streams.redis_answers import raise_first_error
from hookline_shared.streams.scripts import load_script

_DEFER: Final = load_script("waiting/defer")
_RESUME: Final = load_script("waiting/resume")
_LOAD: Final = load_script("waiting/load")
_TIMEOUT_S: Final = 3.0
_LANE_BYTES: Final = 8

LATER: Final = "later"
"""The condition of lanes that wait for so long that another bound applies to the plausibility of their time."""


def lane_id(topic: str, key: str) -> str:
    """Return the id of the lane of an ordering key: 64 bits of a hash, as 11 characters without a "-"."""
    digest = blake2b(f"{topic}\0{key}".encode(errors="surrogateescape"), digest_size=_LANE_BYTES).digest()
    return b64encode(digest).decode().rstrip("=")


class StoredEntry(NamedTuple):
    """An entry from the index. `fields` is None if it was deleted while it was pending; `record` is its retry record.

    `was_in_memory` is whether it may have been in the memory of a processor that died.
    """

    id: str
    was_in_memory: bool
    record: bytes | None
    fields: Sequence[bytes] | None


class ResumedLane(NamedTuple):
    """A lane that does not wait any more, with its first entry. `behind` is the number of indexed entries after it."""

    lane: str
    behind: int
    first: StoredEntry


class Resumed(NamedTuple):
    """The answer to a `ResumeRequest`. `left` lanes still wait, the first of them until `next_ms`, Unix time in ms, infinity if
    there is none. `resumed` lanes of the topic are indexed and do not wait."""

    lanes: list[ResumedLane]
    left: int
    next_ms: float
    resumed: int


class ResumeRequest(NamedTuple):
    """Ask for up to `most` lanes of a topic that wait until `due_ms`, or longer than `implausible_ms` says is possible.

    Both are Unix time in ms; infinity is "all" for the first, and "none" for the second.
    """

    topic: str
    condition: str
    due_ms: float
    implausible_ms: float
    most: int


class Deferral(IntEnum):
    """The result for one entry that was to be deferred; the values are the script's."""

    NOT_INDEXED = 0
    DEFERRED = 1
    IS_FIRST = 2
    BEFORE_INDEX = 3
    DEFERRED_RESUMED = 4
    GONE = 5


class DeferRequest(NamedTuple):
    """Ask to put an entry behind the indexed entries of its lane; `always`, even if there are none.

    `recovered` is whether it was pending when it was read: it may be indexed already.
    """

    topic: str
    lane: str
    entry_id: str
    always: bool
    recovered: bool = False


class LoadRequest(NamedTuple):
    """Ask for up to `most` indexed entries of a lane, after the entry `last`, or from the first if that is empty."""

    topic: str
    lane: str
    last: str
    most: int


class Loaded(NamedTuple):
    """The answer to a `LoadRequest`: whether the lane is `resumed`, and whether there are, or may be, `more` entries of it."""

    resumed: bool
    more: bool
    entries: list[StoredEntry]


class WaitingIndex:
    """The waiting index of `partition`, as its owner by `fence`."""

    def __init__(self, redis: RedisConnectionManager, partition: int, fence: Fence) -> None:
        self._redis = redis
        self._partition = partition
        self._keys = [redis.keys.lease(partition), redis.keys.retries(partition)]
        self._arguments = (GROUP, fence.owner, fence.term, redis.keys.space(partition))

    async def defer(self, requests: Sequence[DeferRequest]) -> list[Deferral]:
        """Put entries behind the indexed entries of their lanes; return the result for each.

        Raises:
            FencedError: if the partition has another owner now; nothing was done.
            BrokerUnavailableError: if Redis did not confirm.

        """
        items = [(one.topic, one.lane, one.entry_id, int(one.always), int(one.recovered)) for one in requests]
        return [Deferral(result) for result in await self._run("defer", _DEFER, items)]

    async def resume(self, requests: Sequence[ResumeRequest], most_bytes: int) -> list[Resumed]:
        """Take waiting lanes out of the index, and return them with their first entries, at most `most_bytes` or one entry.

        Raises:
            FencedError: if the partition has another owner now; nothing was done.
            BrokerUnavailableError: if Redis did not confirm. The lanes may be resumed all the same: see `resumed`.

        """
        items = [
            (topic, condition, _score(due), _score(implausible), most) for topic, condition, due, implausible, most in requests
        ]
        answers = await self._run("resume", _RESUME, items, most_bytes)
        return [
            Resumed([_resumed(*lane) for lane in lanes], left, float(next_ms or inf), resumed)
            for lanes, left, next_ms, resumed in answers
        ]

    async def load(self, requests: Sequence[LoadRequest], most_bytes: int) -> list[Loaded]:
        """Return the next entries of resumed lanes, at most `most_bytes` or one entry.

        Raises:
            FencedError: if the partition has another owner now.
            BrokerUnavailableError: if Redis did not answer.

        """
        answers = await self._run("load", _LOAD, requests, most_bytes)
        return [Loaded(state > 0, state > 1, [_stored(*entry) for entry in entries]) for state, entries in answers]

    async def resumed(self, topic: str) -> list[str]:
        """Return the ids of the indexed lanes of `topic` that are, or may be, in memory.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        key = self._redis.keys.resumed(self._partition, topic)
        return [lane.decode() for lane in await self._redis.execute("smembers", key, "SMEMBERS", key)]

    async def conditions(self) -> list[tuple[str, str]]:
        """Return topic and condition of each set of lanes that wait for a condition.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        key = self._redis.keys.conditions(self._partition)
        names = [name.decode().partition(":") for name in await self._redis.execute("smembers", key, "SMEMBERS", key)]
        return [(topic, condition) for topic, _, condition in names]

    async def _run(self, operation: str, script: Script, items: Sequence[Any], most_bytes: int | None = None) -> Any:
        bound = () if most_bytes is None else (most_bytes,)
        call = ScriptCall(self._keys, (*self._arguments, *bound, msgspec.msgpack.encode(items)))
        (answer,) = raise_first_error(await self._redis.run(operation, script, [call], timeout_s=_TIMEOUT_S))
        return answer


def _score(ms: float) -> str:
    return "+inf" if ms == inf else str(round(ms))


def _resumed(lane: bytes, behind: int, entry: Sequence[Any]) -> ResumedLane:
    return ResumedLane(lane.decode(), behind, _stored(*entry))


def _stored(
    entry_id: bytes, consumer: bytes, record: bytes | None = None, fields: Sequence[bytes] | None = None
) -> StoredEntry:
    return StoredEntry(entry_id.decode(), consumer == CONSUMER.encode(), record, fields)
