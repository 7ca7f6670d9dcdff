"""Who works on what, for somebody who only looks: the processors that are there, and the owner of each partition."""

from typing import Final, NamedTuple

from hookline_shared.broker.connection import Command, RedisConnectionManager
from hookline_shared.broker.lease import Lease, Leases, Want
from hookline_shared.errors import HooklineError

_NOBODY: Final = ""
_TIMEOUT_S: Final = 5.0


class Presence(NamedTuple):
    """A processor, by the name under which it holds leases, and the milliseconds since it was last heard of."""

    name: str
    silent_ms: int


async def processors(redis: RedisConnectionManager) -> list[Presence]:
    """Give the processors that were there lately. One that died stays until the next heartbeat of another.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    key = redis.keys.processors
    words = [("TIME",), ("ZRANGE", key, 0, -1, "WITHSCORES")]
    time, found = await redis.pipeline("presence", [Command(key, asked) for asked in words])
    for answer in (time, found):
        if isinstance(answer, HooklineError):
            raise answer
    now_ms = server_ms(time)
    beats = zip(found[::2], found[1::2], strict=True)
    return sorted(Presence(name.decode(), max(0, now_ms - int(float(at)))) for name, at in beats)


async def leases(redis: RedisConnectionManager, partitions: int) -> list[Lease]:
    """Give the lease of each partition, in their order.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    observer = Leases(redis, _NOBODY, 0, _TIMEOUT_S)
    answers = await observer.ask(dict.fromkeys(range(partitions), (Want.LOOK, 0)))
    found = []
    for answer in answers.values():
        if not isinstance(answer, Lease):
            raise answer
        found.append(answer)
    return found


def server_ms(time: list[bytes]) -> int:
    """Give Unix time in milliseconds from the answer to TIME."""
    seconds, microseconds = map(int, time)
    return seconds * 1000 + microseconds // 1000
