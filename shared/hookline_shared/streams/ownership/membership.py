"""The running processors and the owner of each partition, for observers: nothing is changed."""

from typing import Final, NamedTuple

from hookline_shared.redis.manager import Command, RedisConnectionManager
from hookline_shared.streams.ownership.lease import Lease, LeaseRequest, Leases
from hookline_shared.streams.redis_answers import raise_first_error

_NOBODY: Final = ""
_TIMEOUT_S: Final = 5.0
_SKEW_MS: Final = 1000
"""How far in the future a heartbeat may be: it may have come after the server told its time."""


class Member(NamedTuple):
    """A processor: the name under which it holds leases, and the milliseconds since its last heartbeat."""

    name: str
    silent_ms: int


async def members(redis: RedisConnectionManager) -> list[Member]:
    """Return the processors that are running. One that died is listed until the next heartbeat of another.

    A heartbeat in the future tells nothing: the clock of the server was set back since, or it has another master now. A
    processor that lives is listed again within a second.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    key = redis.keys.processors
    words = [("TIME",), ("ZRANGE", key, 0, -1, "WITHSCORES")]
    time, found = raise_first_error(await redis.pipeline("presence", [Command(key, asked) for asked in words]))
    now_ms = server_ms(time)
    beats = [(name.decode(), now_ms - int(float(at))) for name, at in zip(found[::2], found[1::2], strict=True)]
    return sorted(Member(name, max(0, silent_ms)) for name, silent_ms in beats if silent_ms >= -_SKEW_MS)


async def leases(redis: RedisConnectionManager, partitions: int) -> list[Lease]:
    """Return the lease of each partition, in their order.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    observer = Leases(redis, _NOBODY, 0, _TIMEOUT_S)
    answers = await observer.ask(dict.fromkeys(range(partitions), (LeaseRequest.READ, 0)))
    return list(raise_first_error(list(answers.values())))


async def server_now(redis: RedisConnectionManager) -> int:
    """Return Unix time in milliseconds on the clock of Redis.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    key = redis.keys.processors
    (time,) = raise_first_error(await redis.pipeline("presence", [Command(key, ("TIME",))]))
    return server_ms(time)


def server_ms(time: list[bytes]) -> int:
    """Return Unix time in milliseconds from the answer to TIME."""
    seconds, microseconds = map(int, time)
    return seconds * 1000 + microseconds // 1000
