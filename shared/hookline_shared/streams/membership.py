"""The running processors and the owner of each partition, for observers: nothing is changed."""

from typing import Final, NamedTuple

from hookline_shared.redis.manager import Command, RedisConnectionManager
from hookline_shared.streams.lease import Lease, LeaseRequest, Leases
from hookline_shared.streams.replies import raise_first_error

_NOBODY: Final = ""
_TIMEOUT_S: Final = 5.0


class Member(NamedTuple):
    """A processor: the name under which it holds leases, and the milliseconds since its last heartbeat."""

    name: str
    silent_ms: int


async def members(redis: RedisConnectionManager) -> list[Member]:
    """Return the processors that are running. One that died is listed until the next heartbeat of another.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    key = redis.keys.processors
    words = [("TIME",), ("ZRANGE", key, 0, -1, "WITHSCORES")]
    time, found = raise_first_error(await redis.pipeline("presence", [Command(key, asked) for asked in words]))
    now_ms = server_ms(time)
    beats = zip(found[::2], found[1::2], strict=True)
    return sorted(Member(name.decode(), max(0, now_ms - int(float(at)))) for name, at in beats)


async def leases(redis: RedisConnectionManager, partitions: int) -> list[Lease]:
    """Return the lease of each partition, in their order.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    observer = Leases(redis, _NOBODY, 0, _TIMEOUT_S)
    answers = await observer.ask(dict.fromkeys(range(partitions), (LeaseRequest.READ, 0)))
    return list(raise_first_error(list(answers.values())))


def server_ms(time: list[bytes]) -> int:
    """Return Unix time in milliseconds from the answer to TIME."""
    seconds, microseconds = map(int, time)
    return seconds * 1000 + microseconds // 1000
