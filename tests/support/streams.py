"""What lies in Redis, for assertions."""

from typing import Any

import redis

from shared import keys
from shared.topics import DEFAULT_TOPICS

PARTITIONS = 8

Fields = dict[str, str]


def entries(client: redis.Redis, topic: str) -> list[Fields]:
    """Give the fields of every entry of `topic`, partition by partition."""
    streams = (keys.topic(partition, topic) for partition in range(PARTITIONS))
    return [fields for stream in streams for fields in _fields(client, stream)]


def dead_letters(client: redis.Redis) -> list[Fields]:
    """Give the fields of every dead letter."""
    return [fields for partition in range(PARTITIONS) for fields in _fields(client, keys.dead(partition))]


def unsettled(client: redis.Redis) -> int:
    """Give how many events, pending or not, are not settled, and make sure that every pending one still has its body."""
    left = pending = 0
    for partition in range(PARTITIONS):
        for topic in DEFAULT_TOPICS:
            stream = keys.topic(partition, topic)
            left += client.xlen(stream)
            if client.exists(stream):
                pending += sum(group["pending"] for group in client.xinfo_groups(stream))
    assert pending <= left, "pending entries without bodies"
    return left


def retry_records(client: redis.Redis) -> int:
    """Give how many retry records there are."""
    return sum(client.hlen(keys.retries(partition)) for partition in range(PARTITIONS))


def _fields(client: redis.Redis, stream: str) -> list[Fields]:
    found: Any = client.xrange(stream)
    return [{name.decode(): value.decode(errors="replace") for name, value in fields.items()} for _, fields in found]
