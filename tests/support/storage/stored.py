"""Read the content of Redis, for assertions."""

from typing import Any

import redis

from hookline_shared.event import Event, decode
from hookline_shared.redis_keys import GROUP, Keys
from hookline_shared.topics import DEFAULT_TOPICS
from tests.support.storage.keys import keys

PARTITIONS = 8


class Stored:
    """What a Redis server holds of the installation that has `keys`. `client` speaks RESP2."""

    def __init__(self, client: "redis.Redis", keys: Keys = keys) -> None:
        self._client = client
        self._keys = keys

    def entries(self, partition: int, topic: str) -> list[tuple[str, list[bytes]]]:
        """Return the entries of one stream, oldest first: id, and names and values in turn."""
        return self._range(self._keys.topic(partition, topic))

    def dead_letters(self, partition: int) -> list[tuple[str, list[bytes]]]:
        """Return the dead letters of one partition, oldest first."""
        return self._range(self._keys.dead(partition))

    def events(self, topic: str | None = None) -> list[Event]:
        """Return the unsettled events of `topic`, or of all, partition by partition."""
        topics = DEFAULT_TOPICS if topic is None else (topic,)
        found = (self.entries(partition, name) for name in topics for partition in range(PARTITIONS))
        return [decode(fields) for entries in found for _, fields in entries]

    def pending(self, partition: int, topic: str) -> list[str]:
        """Return the ids of the entries that were read and not settled."""
        answer: list[list[Any]] = self._client.execute_command("EVAL", _PENDING, 2, self._keys.topic(partition, topic), GROUP)
        return [_text(row[0]) for row in answer]

    def retry_records(self, partition: int) -> dict[str, bytes]:
        """Return the retry records of one partition, by event id."""
        answer: dict[bytes, bytes] = self._client.execute_command("HGETALL", self._keys.retries(partition))
        return {name.decode(): value for name, value in answer.items()}

    def empty(self) -> bool:
        """Whether Redis has nothing except the layout, and the names of topics."""
        return {_text(key) for key in self._client.execute_command("KEYS", "*")} <= {
            self._keys.layout,
            self._keys.topics,
            *map(self._keys.marks, range(PARTITIONS)),
        }

    def _range(self, stream: str) -> list[tuple[str, list[bytes]]]:
        answer: list[tuple[bytes, Any]] = self._client.execute_command("EVAL", _RANGE, 1, stream)
        return [(_text(entry), list(fields)) for entry, fields in answer]


# In scripts, since the client would turn the fields of an entry into a dict, and lose their order and repetitions.
_RANGE = "return redis.call('XRANGE', KEYS[1], '-', '+')"
_PENDING = "return redis.call('XPENDING', KEYS[1], KEYS[2], '-', '+', 100000)"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
