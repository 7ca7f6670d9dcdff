"""Appends events to their streams: one atomic script call for a batch, or in a cluster for the events of each partition."""

from collections.abc import Iterable, Sequence
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


_APPENDED: Final = {appended.value: appended for appended in Appended}
_SCRIPT: Final = load_script("append")
_pack: Final = msgspec.msgpack.Encoder().encode
"""Packs all text fields into one argument: sending a dozen for each event would double the time of a call."""


class Appender:
    """Appends batches of events, except those whose dedupe key was seen within the window.

    `dedupe_window_s` is in seconds. `backlog_limit` is the limit of unsettled events of a topic; each partition has an equal
    share of it.
    """

    def __init__(self, redis: RedisConnectionManager, partitions: int, dedupe_window_s: int, backlog_limit: int) -> None:
        self._redis = redis
        self._keys = redis.keys
        self._partitions = partitions
        stream_limit = -(-backlog_limit // partitions)
        self._constants = (dedupe_window_s * 1000, stream_limit, BODY_FIELD)

    async def append(self, batch: Sequence[tuple[str, Event]], timeout_s: float) -> list[Appended | BrokerUnavailableError]:
        """Append each (topic, event) of `batch`; return the outcome of each, in the same order.

        An error in the place of an event means that Redis did not confirm it. It may have been appended all the same; appending
        it again within the window is safe.
        """
        groups = self._groups(batch) if self._redis.clustered else [range(len(batch))]
        calls = [self._call([batch[at] for at in group]) for group in groups]
        answers = await self._redis.run("append", _SCRIPT, calls, timeout_s, durable=True)
        results: dict[int, Appended | BrokerUnavailableError] = {}
        for group, answer in zip(groups, answers, strict=True):
            failed = isinstance(answer, BrokerUnavailableError)
            results.update(zip(group, repeat(answer) if failed else map(_APPENDED.__getitem__, answer), strict=False))
        return [results[at] for at in range(len(batch))]

    def _groups(self, batch: Sequence[tuple[str, Event]]) -> Sequence[Sequence[int]]:
        """Return the indexes in the batch for each call of the script: in a cluster, those of one partition."""
        groups: dict[int, list[int]] = {}
        for at, (_, event) in enumerate(batch):
            groups.setdefault(partition_of(event.key, self._partitions), []).append(at)
        return list(groups.values())

    def _call(self, group: Iterable[tuple[str, Event]]) -> ScriptCall:
        names: list[str] = []
        texts: list[tuple[str, ...]] = [TEXT_FIELDS]
        bodies = []
        for topic, event in group:
            partition = partition_of(event.key, self._partitions)
            names += (self._keys.topic(partition, topic), self._keys.seen(partition, event.dedupe_key))
            texts.append(text_values(event))
            bodies.append(event.body)
        return ScriptCall(names, [*self._constants, _pack(texts), *bodies])
