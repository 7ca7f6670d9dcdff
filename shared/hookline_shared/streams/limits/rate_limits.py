"""Rate limits that several processes share."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.partitions import partition_of
from hookline_shared.redis.manager import RedisConnectionManager, ScriptCall
from hookline_shared.streams.scripts import load_script

_SCRIPT: Final = load_script("limit")
_TIMEOUT_S: Final = 1.0

Answers = list[float | BrokerUnavailableError]
"""The level of each key in events, or the error of Redis."""


class Usage(NamedTuple):
    """Events of `key`, whose bucket leaks `per_second` events and holds at most `most`."""

    key: str
    per_second: float
    most: float
    events: int


class SharedLimits:
    """The limits `name` in Redis. Keys are personal, so Redis has only their hashes."""

    def __init__(self, redis: RedisConnectionManager, name: str, partitions: int) -> None:
        self._redis = redis
        self._name = name
        self._partitions = partitions

    async def exchange(self, taken: Sequence[Usage]) -> Answers:
        """Count `taken`; return the level of each over all processes, in events."""
        answers = await self._redis.run("limit", _SCRIPT, [self._call(one) for one in taken], _TIMEOUT_S)
        return [answer if isinstance(answer, BrokerUnavailableError) else answer / 1000 for answer in answers]

    def _call(self, one: Usage) -> ScriptCall:
        digest = sha256(one.key.encode()).hexdigest()[:32]
        key = self._redis.keys.limit(partition_of(digest, self._partitions), self._name, digest)
        return ScriptCall([key], [f"{one.per_second:.6f}", f"{one.most:.3f}", str(one.events)])
