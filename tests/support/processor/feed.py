"""Putting events into the streams of one partition, and reading them as its owner does."""

from collections.abc import Iterable
from typing import Final

from hookline_shared.event import Event, decode
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appender
from hookline_shared.streams.consume import NEW, Consumer, Entry
from hookline_shared.streams.ownership.lease import Fence, Lease, LeaseRequest, Leases
from hookline_shared.topics import MESSAGES
from tests.support.processor.events import event, key_of
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS

PARTITION: Final = 2
PENDING: Final = "0"
"""Read position: the oldest of one's own pending entries."""

_TIMEOUT_S: Final = 10.0


class Feed:
    """Puts events into the streams of `PARTITION`."""

    def __init__(self, broker: RedisConnectionManager) -> None:
        self._appender = Appender(broker, PARTITIONS, dedupe_window_s=3600, backlog_limit=1_000_000)

    async def put(self, number: int, topic: str = MESSAGES) -> list[Event]:
        """Append `number` new events to `topic`; return them."""
        events = [event(key=key_of(PARTITION)) for _ in range(number)]
        await self.put_all(events, topic)
        return events

    async def put_all(self, events: Iterable[Event], topic: str = MESSAGES) -> None:
        """Append `events` to `topic`."""
        await self._appender.append([(topic, one) for one in events], _TIMEOUT_S)


async def claim(
    broker: RedisConnectionManager,
    partition: int = PARTITION,
    owner: str = "owner",
    *,
    force: bool = False,
    lease_s: float = 60,
) -> Fence:
    """Take the lease of `partition`, for `lease_s` seconds; with `force`, let the one that runs run out first."""
    if force:
        holder, term = await broker.execute("hmget", keys.lease(partition), "HMGET", keys.lease(partition), "owner", "term")
        token = keys.token(partition, holder.decode(), int(term))
        await broker.execute("del", token, "DEL", token)
    (lease,) = (await Leases(broker, owner, lease_s, _TIMEOUT_S).ask({partition: (LeaseRequest.ACQUIRE, 0)})).values()
    assert isinstance(lease, Lease)
    assert lease.owner == owner
    return Fence(owner, lease.term)


async def read(consumer: Consumer, position: str = NEW, topic: str = MESSAGES, count: int = 100) -> list[Entry]:
    """Read one topic."""
    return dict(await consumer.read({topic: position}, count)).get(topic, [])


def events_of(entries: list[Entry]) -> list[Event]:
    """Decode those of `entries` that have a body."""
    return [decode(entry.fields) for entry in entries if entry.fields is not None]
