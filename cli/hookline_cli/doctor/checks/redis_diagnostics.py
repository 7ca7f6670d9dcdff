"""Examining every master once, for somebody who wants to know whether Hookline could work there. Nothing is changed."""

from typing import NamedTuple

from hookline_shared.clock import Clock
from hookline_shared.errors import HooklineError
from hookline_shared.redis.durability import Durability
from hookline_shared.redis.manager import Command, RedisConnectionManager
from hookline_shared.redis.probe import Layout
from hookline_shared.redis.server_info import Features, ServerInfo, obstacle, parse_info
from hookline_shared.redis.url import Topology
from hookline_shared.streams.ownership.membership import server_ms
from hookline_shared.streams.redis_answers import raise_first_error


class RedisDiagnostics(NamedTuple):
    """What one master showed.

    `obstacle` says why it cannot be used at all, `refusal` why it takes no writes, `shortfall` why it cannot give the
    durability that is asked for; each is None if that is no problem. `appendfsync` is None if it does not tell. `answer_ms` is
    the time that an answer took, and `ahead_ms` by how much its clock is ahead of ours.
    """

    facts: ServerInfo
    obstacle: str | None
    refusal: str | None
    shortfall: str | None
    appendfsync: str | None
    answer_ms: float
    ahead_ms: int


async def diagnose(
    redis: RedisConnectionManager, topology: Topology, partitions: int, durability: Durability, clock: Clock
) -> list[RedisDiagnostics]:
    """Examine each master that has one of `partitions` partitions.

    Raises:
        BrokerUnavailableError: if one does not answer, or is missing.

    """
    some = redis.one_for_each_master([redis.keys.probe(partition) for partition in range(partitions)])
    return [await _examine(redis, key, topology, durability, clock) for key in some]


async def read_layout(redis: RedisConnectionManager) -> Layout:
    """Return how the data in Redis is laid out, empty while no service has been there.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    names = ("partitions", "schema")
    found = await redis.execute("layout", redis.keys.layout, "HMGET", redis.keys.layout, *names)
    return {name: value.decode() for name, value in zip(names, found, strict=True) if value is not None}


async def _examine(
    redis: RedisConnectionManager, key: str, topology: Topology, durability: Durability, clock: Clock
) -> RedisDiagnostics:
    info, *_ = raise_first_error(await redis.pipeline("checkup", [Command(key, ("INFO",))]))
    facts = parse_info(info)
    if found := obstacle(facts, topology):
        return RedisDiagnostics(facts, found, None, None, None, 0.0, 0)
    asked = [
        ("CONFIG", "GET", "appendfsync"),
        ("COMMAND", "INFO", "WAITAOF"),
        ("LPUSHX", key, ""),
    ]  # writes nothing: there is no such list
    config, waitaof, written = await redis.pipeline("checkup", [Command(key, words) for words in asked])
    features = Features(waitaof=isinstance(waitaof, list) and waitaof[:1] not in ([], [None]))
    appendfsync = config[1].decode() if isinstance(config, list) and config else None
    before_ms, began = clock.now_ms(), clock.monotonic()
    (time,) = raise_first_error(await redis.pipeline("checkup", [Command(key, ("TIME",))]))
    answer_ms = (clock.monotonic() - began) * 1000
    return RedisDiagnostics(
        facts,
        obstacle=None,
        refusal=str(written) if isinstance(written, HooklineError) else None,
        shortfall=durability.obstacle(facts, features, appendfsync),
        appendfsync=appendfsync,
        answer_ms=answer_ms,
        ahead_ms=round(server_ms(time) - before_ms - answer_ms / 2),
    )
