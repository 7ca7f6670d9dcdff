"""What operators see of the waiting index, and do to it: look at waiting lanes, make them due, and drop their events.

Unlike `waiting.py`, this works without owning the partition, and besides an owner: each change is one script that touches
only lanes that wait, and no owner has the indexed events of such a lane in memory.
"""

from collections.abc import AsyncIterator, Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

import msgspec

from hookline_shared.redis.manager import Command, RedisConnectionManager, Script, ScriptCall
from hookline_shared.redis_keys import GROUP
from hookline_shared.streams.redis_answers import raise_first_error
from hookline_shared.streams.scripts import load_script
from hookline_shared.streams.waiting.index import LATER

_RETRY_NOW: Final = load_script("waiting/retry_now")
_DROP: Final = load_script("waiting/drop")
_DESCRIBE: Final = load_script("waiting/waiting_lanes")
_PAGE: Final = 100
"""Lanes looked at in one call: so few that Redis is not blocked."""
_SCANNED: Final = 500
_ERROR_TYPE: Final = "Dropped"


class LaneSet(NamedTuple):
    """The lanes of a topic in one partition that wait for one condition: how many, and the earliest and latest time of them.

    `condition` is empty for a time. Times are Unix time in milliseconds; 0 is "at once".
    """

    partition: int
    topic: str
    condition: str
    lanes: int
    earliest_ms: int
    latest_ms: int

    @property
    def reason(self) -> str:
        """What the lanes wait for: the condition, or "time"."""
        return self.condition if self.condition not in ("", LATER) else "time"


class WaitingEvent(NamedTuple):
    """The first event of a waiting lane, with the number of indexed events behind it; `entry` is empty if it is gone."""

    partition: int
    topic: str
    lane: str
    entry: str
    event_id: str
    kind: str
    key: str
    behind: int


class RetriedNow(IntEnum):
    """The outcome for one lane; the values are the script's."""

    NOT_WAITING = 0
    DUE = 1
    PAUSED = 2


class Dropped(IntEnum):
    """The outcome for one event; the values are the script's."""

    GONE = 0
    DONE = 1
    IN_MEMORY = 2


class WaitingControl:
    """The waiting indexes of `partitions` partitions."""

    def __init__(self, redis: RedisConnectionManager, partitions: int) -> None:
        self._redis = redis
        self._keys = redis.keys
        self.partitions = partitions

    async def sets(self, topics: Sequence[str]) -> list[LaneSet]:
        """Return the sets that have lanes, of `topics` and of any topic for which a condition is recorded.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        places = await self._places(topics)
        keys = [self._keys.waiting(*place) for place in places]
        asked = [words for key in keys for words in _questions(key)]
        answers = raise_first_error(await self._redis.pipeline("waiting", [Command(words[1], words) for words in asked]))
        rows = zip(places, answers[::3], answers[1::3], answers[2::3], strict=True)
        return [LaneSet(*place, int(lanes), _time(first), _time(last)) for place, lanes, first, last in rows if lanes]

    async def lanes(self, waiting: LaneSet) -> AsyncIterator[list[str]]:
        """Yield the ids of the lanes of a set, page by page. One that moves meanwhile may be missing, or come twice.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        key, cursor = self._keys.waiting(waiting.partition, waiting.topic, waiting.condition), b"0"
        while True:
            cursor, found = await self._redis.execute("waiting", key, "ZSCAN", key, cursor, "COUNT", _SCANNED)
            lanes = [lane.decode() for lane in found[::2]]
            for at in range(0, len(lanes), _PAGE):
                yield lanes[at : at + _PAGE]
            if cursor == b"0":
                return

    async def waits(self, waiting: LaneSet, lane: str) -> bool:
        """Whether a lane is in a set.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        key = self._keys.waiting(waiting.partition, waiting.topic, waiting.condition)
        return await self._redis.execute("waiting", key, "ZSCORE", key, lane) is not None

    async def describe(self, partition: int, topic: str, lanes: Sequence[str]) -> list[WaitingEvent]:
        """Return the first event of each lane.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        answer = await self._run(
            "waiting", _DESCRIBE, [self._keys.conditions(partition)], [self._keys.space(partition), topic, _pack(lanes)]
        )
        return [_event(partition, topic, *words) for words in answer]

    async def retry_now(self, partition: int, topic: str, lanes: Sequence[str]) -> list[RetriedNow]:
        """Make waiting lanes due at once; return the outcome for each.

        Raises:
            BrokerUnavailableError: if Redis did not confirm. Running it again is safe.

        """
        items = [(topic, lane) for lane in lanes]
        keys = [self._keys.conditions(partition)]
        return list(map(RetriedNow, await self._run("retry", _RETRY_NOW, keys, [self._keys.space(partition), _pack(items)])))

    async def drop(
        self, partition: int, topic: str, events: Sequence[tuple[str, str]], message: str, *, ledger: bool
    ) -> list[Dropped]:
        """Move waiting events, each given as lane and entry id, to the dead letters; return the outcome for each.

        The letters have `message`. With `ledger`, the events are copied to the ledger stream.

        Raises:
            BrokerUnavailableError: if Redis did not confirm. Running it again is safe.

        """
        keys = [self._keys.retries(partition), self._keys.dead(partition), self._keys.ledger(partition)]
        items = [(topic, lane, entry) for lane, entry in events]
        arguments: list[str | int | bytes] = [
            GROUP,
            self._keys.space(partition),
            int(ledger),
            _ERROR_TYPE,
            message,
            _pack(items),
        ]
        return list(map(Dropped, await self._run("drop", _DROP, keys, arguments)))

    async def _places(self, topics: Sequence[str]) -> list[tuple[int, str, str]]:
        """Return partition, topic and condition of every set that may have lanes."""
        keys = [self._keys.conditions(partition) for partition in range(self.partitions)]
        answers = raise_first_error(await self._redis.pipeline("waiting", [Command(key, ("SMEMBERS", key)) for key in keys]))
        places = []
        for partition, names in enumerate(answers):
            places += [(partition, topic, "") for topic in topics]
            for name in sorted(names):
                topic, _, condition = name.decode(errors="replace").partition(":")
                places.append((partition, topic, condition))
        return places

    async def _run(self, operation: str, script: Script, keys: list[str], arguments: list[str | int | bytes]) -> Any:
        (answer,) = raise_first_error(await self._redis.run(operation, script, [ScriptCall(keys, arguments)]))
        return answer


def _event(partition: int, topic: str, *words: Any) -> WaitingEvent:
    lane, entry, event_id, kind, key = (word.decode(errors="replace") for word in words[:-1])
    return WaitingEvent(partition, topic, lane, entry, event_id, kind, key, words[-1])


def _questions(key: str) -> list[tuple[str, ...]]:
    return [("ZCARD", key), ("ZRANGE", key, "0", "0", "WITHSCORES"), ("ZRANGE", key, "-1", "-1", "WITHSCORES")]


def _time(found: Sequence[bytes]) -> int:
    return int(float(found[1])) if found else 0


def _pack(items: Sequence[Any]) -> bytes:
    return msgspec.msgpack.encode(items)
