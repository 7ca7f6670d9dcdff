"""Pauses: what operators have told all processors not to attempt for a while.

Wire format: a field of the hash `<prefix>:pauses` is the id of a pause, and its value the JSON of `Pause`. An unreadable one
is left alone, and pauses nothing.
"""

from collections.abc import Iterable
from secrets import token_hex

import msgspec

from hookline_shared.redis.manager import RedisConnectionManager


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """A pause of the events that match all of `topic`, `kind` and `key`; an empty one matches everything.

    `kind` may be a family: `conversation.*` matches every kind that begins with `conversation.`.

    `since_ms` and `until_ms` are Unix time in milliseconds; `until_ms` is 0 for a pause without an end.
    """

    id: str
    topic: str = ""
    kind: str = ""
    key: str = ""
    who: str = ""
    why: str = ""
    since_ms: int = 0
    until_ms: int = 0

    def covers(self, topic: str, kind: str, key: str) -> bool:
        """Whether it pauses an event."""
        return self.topic in ("", topic) and self.key in ("", key) and self._covers_kind(kind)

    def covers_topic(self, topic: str) -> bool:
        """Whether it pauses every event of a topic."""
        return self.topic in ("", topic) and not self.kind and not self.key

    def _covers_kind(self, kind: str) -> bool:
        return self.kind in ("", kind) or (self.kind.endswith(".*") and kind.startswith(self.kind[:-1]))

    def has_ended(self, now_ms: int) -> bool:
        """Whether it ended by itself before `now_ms`, Unix time in milliseconds."""
        return 0 < self.until_ms <= now_ms


def new_pause_id() -> str:
    """Return a new id of a pause."""
    return token_hex(4)


class PauseStore:
    """The pauses in Redis."""

    def __init__(self, redis: RedisConnectionManager) -> None:
        self._redis = redis
        self._key = redis.keys.pauses

    async def read(self) -> list[Pause]:
        """Return all pauses, also those that have ended by themselves.

        Raises:
            BrokerUnavailableError: if Redis did not answer.

        """
        found = await self._redis.execute("pauses", self._key, "HVALS", self._key)
        return sorted(_decode(found), key=lambda pause: (pause.since_ms, pause.id))

    async def write(self, pause: Pause) -> None:
        """Add `pause`, or replace the one with its id.

        Raises:
            BrokerUnavailableError: if Redis did not confirm.

        """
        await self._redis.execute("pauses", self._key, "HSET", self._key, pause.id, msgspec.json.encode(pause))

    async def remove(self, ids: Iterable[str]) -> int:
        """Remove pauses; return how many there were.

        Raises:
            BrokerUnavailableError: if Redis did not confirm.

        """
        return int(await self._redis.execute("pauses", self._key, "HDEL", self._key, *ids))


def _decode(values: Iterable[bytes]) -> list[Pause]:
    pauses = []
    for value in values:
        try:
            pauses.append(msgspec.json.decode(value, type=Pause))
        except msgspec.DecodeError:
            continue
    return pauses
