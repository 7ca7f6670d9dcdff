"""Appends events to their streams: one atomic script call for a batch, or in a cluster for the events of each partition."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from itertools import repeat
from typing import Final

import msgspec

from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.event import BODY_FIELD, TEXT_FIELDS, Event, text_values
from hookline_shared.partitions import partition_of
from hookline_shared.redis.manager import RedisConnectionManager, ScriptCall
from hookline_shared.streams.scripts import load_script


class Appended(IntEnum):
    """The outcome for one event; the values are the script's."""

    NEW = 1
    DUPLICATE = 0
    FULL = -1
    REUSED = -2


_Entry = tuple[str, Event]
"""Topic and event."""
_Result = Appended | BrokerUnavailableError

_APPENDED: Final = {appended.value: appended for appended in Appended}
_SCRIPT: Final = load_script("append")
_CLAIM: Final = load_script("claim")
_pack: Final = msgspec.msgpack.Encoder().encode
"""Packs all text fields into one argument: sending a dozen for each event would double the time of a call."""


class Appender:
    """Appends batches of events, except those whose dedupe key was seen, or whose signature made another event, within the
    window.

    The copies of a signature may be in any partition, so the partition of its claim follows from the signature alone. In a
    cluster that takes a call of its own, before the events are appended.

    `dedupe_window_s` is in seconds. `backlog_limit` is the limit of unsettled events of a topic; each partition has an equal
    share of it.
    """

    def __init__(self, redis: RedisConnectionManager, partitions: int, dedupe_window_s: int, backlog_limit: int) -> None:
        self._redis = redis
        self._keys = redis.keys
        self._partitions = partitions
        stream_limit = -(-backlog_limit // partitions)
        self._constants = (dedupe_window_s * 1000, stream_limit, BODY_FIELD)

    async def append(self, batch: Sequence[_Entry], timeout_s: float) -> list[_Result]:
        """Append each (topic, event) of `batch`; return the outcome of each, in the same order.

        An error in the place of an event means that Redis did not confirm it. It may have been appended all the same; appending
        it again within the window is safe.
        """
        if self._redis.clustered:
            return await self._claim_and_append(batch, timeout_s / 2)
        call = self._call(batch, self._signature_key)
        (answer,) = await self._redis.run("append", _SCRIPT, [call], timeout_s, durable=True)
        return [answer] * len(batch) if isinstance(answer, BrokerUnavailableError) else [_APPENDED[code] for code in answer]

    async def _claim_and_append(self, batch: Sequence[_Entry], timeout_s: float) -> list[_Result]:
        """Claim the signatures, then append the events whose signature is theirs, each within `timeout_s`.

        Between the two, this process may die, or Redis refuse the event: the claim then waits for the next delivery.
        """
        results = _with_followers(batch, await self._claim(batch, timeout_s))
        groups = self._groups([at for at in range(len(batch)) if at not in results], lambda event: event.key, batch)
        calls = [self._call([batch[at] for at in group], _claimed_key) for group in groups]
        answers = await self._redis.run("append", _SCRIPT, calls, timeout_s, durable=True) if calls else []
        for group, answer in zip(groups, answers, strict=True):
            failed = isinstance(answer, BrokerUnavailableError)
            results.update(zip(group, repeat(answer) if failed else map(_APPENDED.__getitem__, answer), strict=False))
        return [results[at] for at in range(len(batch))]

    async def _claim(self, batch: Sequence[_Entry], timeout_s: float) -> dict[int, _Result]:
        """Claim the signatures in `batch`; return the results of events that must not be appended, by index."""
        signed = [at for at, (_, event) in enumerate(batch) if event.claim]
        groups = self._groups(signed, lambda event: event.signature, batch)
        calls = [self._claim_call([batch[at][1] for at in group]) for group in groups]
        answers = await self._redis.run("claim", _CLAIM, calls, timeout_s) if calls else []
        refused: dict[int, _Result] = {}
        for group, answer in zip(groups, answers, strict=True):
            if isinstance(answer, BrokerUnavailableError):
                refused.update(zip(group, repeat(answer), strict=False))
            else:
                refused.update({at: Appended.REUSED for at, claimed in zip(group, answer, strict=True) if not claimed})
        return refused

    def _groups(self, indexes: Iterable[int], key_of: Callable[[Event], str], batch: Sequence[_Entry]) -> list[list[int]]:
        """Return `indexes` of `batch` for each call of a script: those of one partition, which `key_of` decides."""
        groups: dict[int, list[int]] = {}
        for at in indexes:
            groups.setdefault(partition_of(key_of(batch[at][1]), self._partitions), []).append(at)
        return list(groups.values())

    def _claim_call(self, events: Iterable[Event]) -> ScriptCall:
        keys = [self._signature_key(event, "") for event in events]
        return ScriptCall(keys, [self._constants[0], *(event.claim for event in events)])

    def _call(self, group: Iterable[_Entry], signature_key: Callable[[Event, str], str]) -> ScriptCall:
        names: list[str] = []
        texts: list[tuple[str, ...]] = [TEXT_FIELDS]
        bodies = []
        for topic, event in group:
            partition = partition_of(event.key, self._partitions)
            seen = self._keys.seen(partition, event.dedupe_key)
            names += (self._keys.topic(partition, topic), seen, signature_key(event, seen))
            texts.append((*text_values(event), event.claim))
            bodies.append(event.body)
        return ScriptCall(names, [*self._constants, _pack(texts), *bodies])

    def _signature_key(self, event: Event, seen: str) -> str:
        """Return the key of the claim on the signature of `event`, or `seen` if it claims none."""
        signature = event.signature
        return self._keys.signed(partition_of(signature, self._partitions), signature) if event.claim else seen


def _with_followers(batch: Sequence[_Entry], results: Mapping[int, _Result]) -> dict[int, _Result]:
    """Return `results` with the error of an event for all that follow it in its conversation: they must not overtake it."""
    found: dict[int, _Result] = {}
    errors: dict[tuple[str, str], _Result] = {}
    for at, (topic, event) in enumerate(batch):
        result = errors.get((topic, event.key)) or results.get(at)
        if result is not None:
            found[at] = result
        if isinstance(result, BrokerUnavailableError):
            errors[topic, event.key] = result
    return found


def _claimed_key(_event: Event, seen: str) -> str:
    """Return the key that tells the script that the signature is claimed already."""
    return seen
