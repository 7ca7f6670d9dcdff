"""Probes one server: whether it answers, can be used, accepts writes, and can provide the requested durability.

The probe is a write, which a read-only replica and a server without memory refuse, unlike a PING. The latter still counts as
available: events must be read and settled for its memory to come free.
"""

from typing import Any, Final

from redis.exceptions import ResponseError

from hookline_shared.errors import BrokerUnavailableError, LayoutMismatchError
from hookline_shared.redis.durability import Durability
from hookline_shared.redis.failures import translate
from hookline_shared.redis.node import Node
from hookline_shared.redis.pool import CommandArgs
from hookline_shared.redis.server_info import Features, ServerInfo, obstacle, parse_info
from hookline_shared.redis.url import Topology

_TIMEOUT_S: Final = 1.0

Layout = dict[str, str]
"""The layout of the data: `partitions` and `schema`."""

_REMEDIES: Final = {
    "partitions": "Set HOOKLINE_PARTITIONS to what Redis holds: changing it would scatter conversations. If that data is of "
    "another installation, set HOOKLINE_PREFIX.",
    "schema": "Run the version of Hookline that wrote it until its backlog is settled.",
}


def noop_push(key: str) -> CommandArgs:
    """Return a write command that changes nothing, since the list `key` does not exist."""
    return ("LPUSHX", key, "")


def noop_claim(key: str, layout: Layout) -> CommandArgs:
    """Return a write command that replaces nothing; `key` is that of the layout."""
    return ("HSETNX", key, *next(iter(layout.items())))


async def probe(node: Node, write: CommandArgs, topology: Topology, durability: Durability) -> None:
    """Probe `node` with the command `write`, and store the results in it.

    Raises:
        BrokerUnavailableError: if it cannot be used now.

    """
    answer, written, *config = await node.exchange_unguarded("probe", [("INFO",), write, *_questions(durability)], _TIMEOUT_S)
    if isinstance(answer, ResponseError):
        raise BrokerUnavailableError(str(translate(answer)))
    info = parse_info(answer)
    if node.info is None or node.info.run_id != info.run_id or node.features is None:
        node.features = await _features(node)
    node.info = info
    if found := obstacle(info, topology):
        raise BrokerUnavailableError(found)
    node.refusal = _refusal(written) or durability.obstacle(info, node.features, _appendfsync(config))


async def claim_layout(node: Node, key: str, layout: Layout) -> None:
    """Write `layout` to `key` if Redis has none, then compare.

    Raises:
        LayoutMismatchError: if the data in Redis has another layout.
        BrokerUnavailableError: if Redis has no layout afterwards, or does not answer.

    """
    writes: list[CommandArgs] = [("HSETNX", key, name, value) for name, value in layout.items()]
    *written, found = await node.exchange_unguarded("probe", [*writes, ("HMGET", key, *layout)], _TIMEOUT_S)
    refused = next((translate(answer) for answer in written if isinstance(answer, ResponseError)), None)
    if isinstance(found, ResponseError) or None in found:
        raise BrokerUnavailableError(str(refused or translate(found)))
    for (name, value), actual in zip(layout.items(), found, strict=True):
        if actual.decode() != value:
            raise LayoutMismatchError(name, actual.decode(), value, _REMEDIES[name])


def _questions(durability: Durability) -> list[CommandArgs]:
    return [("CONFIG", "GET", "appendfsync")] if durability is Durability.FSYNC else []


async def _features(node: Node) -> Features:
    (described,) = await node.exchange_unguarded("probe", [("COMMAND", "INFO", "WAITAOF")], _TIMEOUT_S)
    return Features(waitaof=isinstance(described, list) and described[:1] not in ([], [None]))


def _refusal(written: Any) -> str | None:
    return str(translate(written)) if isinstance(written, ResponseError) else None


def _appendfsync(config: list[Any]) -> str | None:
    """Return appendfsync from the answer to CONFIG GET; None if that was refused, as by managed servers."""
    if not config or isinstance(config[0], ResponseError) or not config[0]:
        return None
    return str(config[0][1].decode())


def describe(info: ServerInfo) -> str:
    """Return the server's name and version."""
    return f"{info.name} {info.version}"
