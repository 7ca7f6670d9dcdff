"""Fill the streams with events as ingress does, and count those that are left."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from bench.errors import BenchError
from bench.load import webhooks
from bench.system.private_redis import PrivateRedis
from hookline_shared.clock import SystemClock
from hookline_shared.event import Event, new_event_id
from hookline_shared.observability.logs import get_logger
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.redis.options import RedisOptions
from hookline_shared.redis_keys import Keys
from hookline_shared.streams.append import Appended, Appender
from hookline_shared.topics import MESSAGES

_BATCH: Final = 200
_TIMEOUT_S: Final = 5.0
_DEDUPE_WINDOW_S: Final = 3600
_COUNT_ENTRIES: Final = """
local entries = 0
for _, stream in ipairs(KEYS) do entries = entries + redis.call('XLEN', stream) end
return entries
"""
_KEYS: Final = Keys()


class Backlog:
    """The inbound messages in `redis` that are not yet settled."""

    def __init__(self, redis: PrivateRedis, partitions: int) -> None:
        self._redis = redis
        self._partitions = partitions
        self._streams = [_KEYS.topic(partition, MESSAGES) for partition in range(partitions)]
        self._dead = [_KEYS.dead(partition) for partition in range(partitions)]

    def fill(self, events: int) -> None:
        """Empty Redis, then append `events` inbound messages of many conversations in turn.

        Raises:
            BenchError: if they are not all there then.
            BrokerUnavailableError: if Redis does not answer.

        """
        self._redis.empty()
        asyncio.run(append(self._redis.url, self._partitions, events))
        if self.entries() != events:
            raise BenchError(f"The streams hold {self.entries()} events after {events} were appended.")

    def entries(self) -> int:
        """Return the number of entries in the streams, in one call."""
        return self._count(self._streams)

    def dead(self) -> int:
        """Return the number of dead letters."""
        return self._count(self._dead)

    def owners(self) -> int:
        """Return the number of processors that own a partition."""
        pipe = self._redis.client.pipeline(transaction=False)
        for partition in range(self._partitions):
            pipe.hget(_KEYS.lease(partition), "owner")
        return len({owner for owner in pipe.execute() if owner})

    def is_settled(self) -> bool:
        """Whether no stream has any entry, not even a pending one."""
        return not self.entries() and not any(self._pending(stream) for stream in self._streams)

    def _count(self, streams: Sequence[str]) -> int:
        return int(self._redis.client.execute_command("EVAL", _COUNT_ENTRIES, len(streams), *streams))

    def _pending(self, stream: str) -> bool:
        groups = self._redis.client.execute_command("XINFO GROUPS", stream) if self._exists(stream) else []
        return any(group["pending"] for group in groups)

    def _exists(self, stream: str) -> bool:
        return bool(self._redis.client.execute_command("EXISTS", stream))


async def append(url: str, partitions: int, events: int, batch: int = _BATCH, calls: int = 1, first: int = 0) -> None:
    """Append `events` inbound messages from number `first` on, `batch` in a call, with `calls` calls under way at a time.

    Raises:
        BenchError: if not all are taken.

    """
    clock, end = SystemClock(), first + events
    redis = RedisConnectionManager(RedisOptions(url=url), partitions, clock, get_logger("bench"))
    appender = Appender(redis, partitions, _DEDUPE_WINDOW_S, backlog_limit=2 * events * partitions)
    try:
        batches = iter([range(start, min(start + batch, end)) for start in range(first, end, batch)])
        await asyncio.gather(*(_append_all(appender, batches, clock) for _ in range(calls)))
    finally:
        await redis.close()


async def _append_all(appender: Appender, batches: Iterator[range], clock: SystemClock) -> None:
    """Append the rest of `batches`, one after the other."""
    for batch in batches:
        messages = [(MESSAGES, _event(number, clock.now_ms())) for number in batch]
        if set(await appender.append(messages, _TIMEOUT_S)) != {Appended.NEW}:
            raise BenchError("Redis refused events or took them for duplicates, although it was empty.")


def _event(number: int, now_ms: int) -> Event:
    """Return the event that ingress makes of message `number`."""
    sid = webhooks.message_sid(number)
    return Event(
        id=new_event_id(now_ms),
        kind="message.received",
        key=f"{webhooks.sender(number)}:{webhooks.TO}",
        dedupe_key=f"{webhooks.ACCOUNT}:message.received:{sid}",
        received_at=now_ms,
        account=webhooks.ACCOUNT,
        content_type=webhooks.CONTENT_TYPE,
        target=webhooks.TARGET,
        body=webhooks.body(number),
        signature=webhooks.signature(number),
        signer="token1",
        method="POST",
    )
