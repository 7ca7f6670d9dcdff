"""What a Redis server says of itself, and what that means for events."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from hookline_shared.redis.url import Topology

OLDEST: Final = (6, 2)
"""The oldest version that has what the scripts and the reading need."""

_KEEPS_ALL: Final = "noeviction"


class ServerInfo(NamedTuple):
    """From INFO. `replica_lags` are in bytes, one for each replica that is in step; `run_id` is another after each restart.

    `used_bytes` and `limit_bytes` are memory; the latter is 0 if there is no limit.
    """

    run_id: str
    name: str
    version: str
    compatible: tuple[int, ...]
    mode: str
    role: str
    eviction: str
    keeps_file: bool
    loading: bool
    replica_lags: tuple[int, ...]
    used_bytes: int
    limit_bytes: int


class Features(NamedTuple):
    """What the server can do beyond Redis 6.2."""

    waitaof: bool


def parse_info(text: bytes) -> ServerInfo:
    """Read the answer to INFO."""
    facts = dict(line.split(":", 1) for line in text.decode(errors="replace").splitlines() if ":" in line)
    compatible = facts.get("redis_version", "0")
    name = {"valkey": "Valkey"}.get(facts.get("server_name", ""), "Redis")
    return ServerInfo(
        run_id=facts.get("run_id", ""),
        name=name,
        version=facts.get("valkey_version", compatible),
        compatible=tuple(int(part) for part in compatible.split(".") if part.isdecimal()),
        mode=facts.get("redis_mode") or facts.get("server_mode", "standalone"),
        role=facts.get("role", "master"),
        eviction=facts.get("maxmemory_policy", _KEEPS_ALL),
        keeps_file=facts.get("aof_enabled", "1") == "1",
        loading=facts.get("loading", "0") != "0",
        replica_lags=tuple(_lags(facts)),
        used_bytes=int(facts.get("used_memory", "0")),
        limit_bytes=int(facts.get("maxmemory", "0")),
    )


def _lags(facts: Mapping[str, str]) -> list[int]:
    offset = int(facts.get("master_repl_offset", "0"))
    replicas = [value for name, value in facts.items() if name.startswith("slave") and "state=online" in value]
    described = [dict(part.partition("=")[::2] for part in replica.split(",")) for replica in replicas]
    return [max(0, offset - int(replica.get("offset", "0"))) for replica in described]


def obstacle(facts: ServerInfo, topology: Topology) -> str | None:
    """Say why this server cannot be used as REDIS_URL wants to use it, and what to do; None if it can."""
    clustered = facts.mode == "cluster"
    if facts.compatible[:2] < OLDEST:
        return f"{facts.name} {facts.version} is too old. Hookline needs Redis 6.2 or newer, or Valkey."
    if facts.mode == "sentinel":
        return "REDIS_URL leads to a Sentinel. Begin it with redis+sentinel:// and end it with the service's name."
    if clustered and topology is not Topology.CLUSTER:
        return "This server is a node of a cluster. Begin REDIS_URL with redis+cluster://."
    if not clustered and topology is Topology.CLUSTER:
        return "REDIS_URL names a cluster, but this server is not part of one. Begin REDIS_URL with redis://."
    if facts.role != "master":
        return _REPLICA[topology]
    return None


_REPLICA: Final = {
    Topology.STANDALONE: "This server is a read-only replica. REDIS_URL must lead to its master, or to the Sentinels.",
    Topology.SENTINEL: "The server that the Sentinels name is still a replica: a failover is under way.",
    Topology.CLUSTER: "The node that should have these slots is a replica: a failover is under way.",
}


def risks(facts: ServerInfo) -> dict[str, str]:
    """Return what could make this server lose events: a reason for metrics, and in words with a remedy."""
    found: dict[str, str] = {}
    if facts.eviction != _KEEPS_ALL:
        found["eviction"] = (
            f"maxmemory-policy is {facts.eviction}, so Redis may evict events when memory runs out. Set it to {_KEEPS_ALL}."
        )
    if not facts.keeps_file:
        found["no_aof"] = "appendonly is off, so Redis may lose events when it restarts. Set appendonly yes."
    return found


RISKS: Final = ("eviction", "no_aof")
"""Every reason that `risks` knows."""
