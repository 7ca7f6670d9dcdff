"""Appends events to their streams: one atomic script call for a batch, or in a cluster for the events of each partition."""

from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from functools import lru_cache
from hashlib import blake2b
from itertools import repeat
from typing import Final

import msgspec

from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.event import BODY_FIELD, TEXT_FIELDS, Event, text_values
from hookline_shared.observability.metrics import UNCLAIMED_EVENTS
from hookline_shared.partitions import partition_of
from hookline_shared.redis.manager import RedisConnectionManager, ScriptCall
from hookline_shared.streams.limits.signature_claims import Claimed, Claims
from hookline_shared.streams.scripts import load_script


class Appended(IntEnum):
    """The outcome for one event; the values are the script's."""

    NEW = 1
    DUPLICATE = 0
    FULL = -1
    REUSED = -2

    __hash__ = int.__hash__  # that of an enum is a function in Python


_Entry = tuple[str, Event]
"""Topic and event."""
_SignedKey = Callable[[Event, str, str], str]
"""Returns the third key of an event for the script, given its stream and the marks of its partition."""
_Letter = Sequence[tuple[str, str]]
"""Fields of the dead letter that a refused event becomes, without their prefix; empty if it becomes none."""
_Result = Appended | BrokerUnavailableError

_APPENDED: Final = {appended.value: appended for appended in Appended}
_REUSED: Final = "its signature was used for another event, which came before: one of the two is a copy that somebody made"
_SCRIPT: Final = load_script("append")
_DIGEST: Final = blake2b(digest_size=15)
"""Of a dedupe key, see `dedupe_marks.lua`. Copied for each, which is faster than a new one."""
_pack: Final = msgspec.msgpack.Encoder().encode
"""Packs all text fields into one argument: sending a dozen for each event would double the time of a call."""


class Appender:
    """Appends batches of events, except those whose dedupe key has a mark, or whose signature made another event, within the
    window.

    The copies of a signed text may be in any partition, so the partition of its claim follows from the text alone. In a cluster
    that takes calls of their own before the events are appended, see `claims.py`.

    `dedupe_window_s` is in seconds. `backlog_limit` is the limit of unsettled events of a topic; each partition has an equal
    share of it.
    """

    def __init__(self, redis: RedisConnectionManager, partitions: int, dedupe_window_s: int, backlog_limit: int) -> None:
        self._redis = redis
        self._topic = lru_cache(maxsize=1024)(redis.keys.topic)
        self._marks = [redis.keys.marks(partition) for partition in range(partitions)]
        self._signed = [redis.keys.signed(partition, "") for partition in range(partitions)]
        self._partitions = partitions
        self._claims = Claims(redis, partitions, dedupe_window_s)
        stream_limit = -(-backlog_limit // partitions)
        self._constants = (dedupe_window_s * 1000, stream_limit, BODY_FIELD)

    async def append(self, batch: Sequence[_Entry], timeout_s: float) -> list[_Result]:
        """Append each (topic, event) of `batch`; return the outcome of each, in the same order.

        An error in the place of an event means that Redis did not confirm it. It may have been appended all the same; appending
        it again within the window is safe.
        """
        return await self._append(batch, timeout_s, ())

    async def append_accepted(self, batch: Sequence[_Entry], timeout_s: float) -> list[_Result]:
        """Do the same with events that were accepted before. One whose signature made another event becomes a dead letter."""
        at = str(self._redis.clock.now_ms())
        letter = {"reason": "reused", "error": "ReusedSignature", "message": _REUSED, "traceback": "", "attempts": "0"}
        return await self._append(batch, timeout_s, [*letter.items(), ("first_at", at), ("at", at)])

    async def _append(self, batch: Sequence[_Entry], timeout_s: float, letter: _Letter) -> list[_Result]:
        if self._redis.clustered:
            return await self._claim_and_append(batch, timeout_s, letter)
        call = self._call(batch, self._signed_key, letter)
        (answer,) = await self._redis.run("append", _SCRIPT, [call], timeout_s, durable=True)
        return [answer] * len(batch) if isinstance(answer, BrokerUnavailableError) else [_APPENDED[code] for code in answer]

    async def _claim_and_append(self, batch: Sequence[_Entry], timeout_s: float, letter: _Letter) -> list[_Result]:
        """Claim the signed texts, then append the events whose text is theirs, and those whose master did not say.

        Between the two, this process may die, or Redis refuse the event: the claim then waits for the next delivery.
        """
        started = self._redis.clock.monotonic()
        claims = await self._claims.claim([event for _, event in batch], timeout_s)
        left_s = timeout_s - (self._redis.clock.monotonic() - started)
        groups: dict[int, list[int]] = {}
        for at, (_, event) in enumerate(batch):
            groups.setdefault(partition_of(event.key, self._partitions), []).append(at)
        calls = [self._call([batch[at] for at in group], _key_after_claim(group, claims), letter) for group in groups.values()]
        answers = await self._redis.run("append", _SCRIPT, calls, left_s, durable=True)
        results: list[_Result] = [Appended.NEW] * len(batch)
        for group, answer in zip(groups.values(), answers, strict=True):
            failed = isinstance(answer, BrokerUnavailableError)
            for at, code in zip(group, repeat(answer) if failed else answer, strict=False):
                results[at] = code if failed else _APPENDED[code]
        _count_unclaimed(batch, claims, results)
        return results

    def _call(self, group: Iterable[_Entry], signed_key: _SignedKey, letter: _Letter) -> ScriptCall:
        names: list[str] = []
        texts: list[tuple[str, ...]] = [TEXT_FIELDS]
        bodies, digests = [], []
        partitions, topic_key, all_marks, new_digest = self._partitions, self._topic, self._marks, _DIGEST.copy
        for topic, event in group:
            partition = partition_of(event.key, partitions)
            stream, marks = topic_key(partition, topic), all_marks[partition]
            names += (stream, marks, signed_key(event, stream, marks))
            texts.append((*text_values(event), event.claim))
            digest = new_digest()
            digest.update(event.dedupe_key.encode())
            digests.append(digest.digest())
            bodies.append(event.body)
        if letter:
            texts.append(tuple(text for name, value in letter for text in (f"dead.{name}", value)))
        return ScriptCall(names, [*self._constants, _pack(texts), b"".join(digests), *bodies])

    def _signed_key(self, event: Event, _stream: str, marks: str) -> str:
        """Return the key of the claim of `event`, or `marks` if it has none."""
        if not event.claim:
            return marks
        text = event.text_hash or event.signature
        return self._signed[partition_of(text, self._partitions)] + text


def _key_after_claim(group: Sequence[int], claims: Sequence[Claimed]) -> _SignedKey:
    """Return a function that returns the third key of each event of `group` in turn: it tells whether the claim was refused."""
    outcomes = iter([claims[at] for at in group])
    return lambda _event, stream, marks: stream if next(outcomes) is False else marks


def _count_unclaimed(batch: Sequence[_Entry], claims: Sequence[Claimed], results: Sequence[_Result]) -> None:
    for (_, event), claimed, result in zip(batch, claims, results, strict=True):
        if claimed is None and event.claim and result is Appended.NEW:
            UNCLAIMED_EVENTS.count()
