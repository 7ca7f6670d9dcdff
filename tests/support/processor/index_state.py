"""Reads the waiting index of one partition from Redis, for assertions."""

from typing import Any

import redis

from hookline_shared.redis_keys import GROUP, Keys
from tests.support.storage.keys import keys

_PENDING = "return redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 100000)"


class IndexState:
    """What Redis has of the waiting index of `partition`."""

    def __init__(self, client: "redis.Redis", partition: int, keys: Keys = keys) -> None:
        self._client: Any = client
        self._partition = partition
        self._keys = keys
        self._space = keys.space(partition)

    def consumers(self, topic: str) -> dict[str, str]:
        """Return the consumer of each pending entry."""
        found = self._client.eval(_PENDING, 1, self._keys.topic(self._partition, topic), GROUP)
        return {entry.decode(): consumer.decode() for entry, consumer, *_ in found}

    def entries(self, topic: str, lane: str) -> list[str]:
        """Return the indexed entries of a lane, in order, as they are listed."""
        first = self._client.hget(f"{self._space}lanes:{topic}:{lane[0]}{ord(lane[1]) % 16}", lane)
        behind = self._client.lrange(f"{self._space}behind:{topic}:{lane}", 0, -1)
        return [entry.decode() for entry in ([first] if first else []) + behind]

    def resumed(self, topic: str) -> set[str]:
        """Return the resumed lanes."""
        return {lane.decode() for lane in self._client.smembers(self._keys.resumed(self._partition, topic))}

    def waiting(self, topic: str, condition: str = "") -> dict[str, float]:
        """Return the lanes that wait for `condition`, and their times."""
        found = self._client.zrange(self._keys.waiting(self._partition, topic, condition), 0, -1, withscores=True)
        return {lane.decode(): time for lane, time in found}

    def conditions(self) -> set[str]:
        """Return the topics and conditions for which lanes wait."""
        return {name.decode() for name in self._client.smembers(self._keys.conditions(self._partition))}

    def keys(self) -> set[str]:
        """Return the keys of the index: all of the partition, but for its streams and its lease."""
        found = {key.decode().removeprefix(self._space) for key in self._client.keys(f"{self._space}*")}
        return {key for key in found if key.split(":")[0] in {"waiting", "conditions", "resumed", "lanes", "behind"}}
