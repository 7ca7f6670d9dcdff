"""Probing one server: does it answer, may we use it, does it take writes, can it give the durability that is asked for?

The probe is a write, which tells more than a PING: it is refused by a read-only replica and by a server without memory. The
latter still counts as answering: it must be read and settled, or it would never have memory again.
"""

from typing import Any, Final

from redis.exceptions import ResponseError

from hookline_shared.errors import BrokerUnavailableError, LayoutMismatchError
from hookline_shared.redis.durability import Durability
from hookline_shared.redis.failures import translate
from hookline_shared.redis.node import Node
from hookline_shared.redis.pool import Words
from hookline_shared.redis.server_info import Features, ServerInfo, obstacle, parse_info
from hookline_shared.redis.url import Topology

_TIMEOUT_S: Final = 1.0

Layout = dict[str, str]
"""How the data is laid out: `partitions` and `schema`."""

_REMEDIES: Final = {
    "partitions": "Set HOOKLINE_PARTITIONS to what Redis holds: changing it would scatter conversations. If that data is of "
    "another installation, set HOOKLINE_PREFIX.",
    "schema": "Run the version of Hookline that wrote it until its backlog is settled.",
}


def harmless_push(key: str) -> Words:
    """Return a command that writes to `key` and changes nothing, since there is no such list."""
    return ("LPUSHX", key, "")


def harmless_claim(key: str, layout: Layout) -> Words:
    """Return a command that writes to `key`, where the layout is, and replaces nothing."""
    return ("HSETNX", key, *next(iter(layout.items())))


async def probe(node: Node, write: Words, topology: Topology, durability: Durability) -> None:
    """Probe `node` with `write`, and note in it what was found.

    Raises:
        BrokerUnavailableError: if it cannot be used now.

    """
    info, written, *config = await node.exchange_unguarded("probe", [("INFO",), write, *_questions(durability)], _TIMEOUT_S)
    if isinstance(info, ResponseError):
        raise BrokerUnavailableError(str(translate(info)))
    facts = parse_info(info)
    if node.facts is None or node.facts.run_id != facts.run_id or node.features is None:
        node.features = await _features(node)
    node.facts = facts
    if found := obstacle(facts, topology):
        raise BrokerUnavailableError(found)
    node.refusal = _refusal(written) or durability.obstacle(facts, node.features, _appendfsync(config))


async def claim_layout(node: Node, key: str, layout: Layout) -> None:
    """Write `layout` to `key` where Redis has none, then compare.

    Raises:
        LayoutMismatchError: if the data in Redis is laid out otherwise.
        BrokerUnavailableError: if it could neither be written nor read.

    """
    writes: list[Words] = [("HSETNX", key, name, value) for name, value in layout.items()]
    *written, found = await node.exchange_unguarded("probe", [*writes, ("HMGET", key, *layout)], _TIMEOUT_S)
    refused = next((translate(answer) for answer in written if isinstance(answer, ResponseError)), None)
    if isinstance(found, ResponseError) or None in found:
        raise BrokerUnavailableError(str(refused or translate(found)))
    for (name, value), actual in zip(layout.items(), found, strict=True):
        if actual.decode() != value:
            raise LayoutMismatchError(name, actual.decode(), value, _REMEDIES[name])


def _questions(durability: Durability) -> list[Words]:
    return [("CONFIG", "GET", "appendfsync")] if durability is Durability.FSYNC else []


async def _features(node: Node) -> Features:
    (described,) = await node.exchange_unguarded("probe", [("COMMAND", "INFO", "WAITAOF")], _TIMEOUT_S)
    return Features(waitaof=isinstance(described, list) and described[:1] not in ([], [None]))


def _refusal(written: Any) -> str | None:
    return str(translate(written)) if isinstance(written, ResponseError) else None


def _appendfsync(config: list[Any]) -> str | None:
    """Return the setting from the answer to CONFIG GET, which managed servers refuse."""
    if not config or isinstance(config[0], ResponseError) or not config[0]:
        return None
    return str(config[0][1].decode())


def describe(facts: ServerInfo) -> str:
    """Return the server's name and version."""
    return f"{facts.name} {facts.version}"
