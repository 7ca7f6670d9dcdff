"""The INFO of a Redis server, and what it means for the safety of events."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from hookline_shared.redis.url import Topology

OLDEST: Final = (6, 2)
"""The oldest version that has all the commands that Hookline uses."""

_KEEPS_ALL: Final = "noeviction"


class ServerInfo(NamedTuple):
    """The fields of INFO. `replica_lags` are in bytes, one for each replica in sync; `run_id` changes with each restart.

    `used_bytes` and `limit_bytes` are of memory; the latter is 0 if there is no limit.
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
    """Optional features, newer than Redis 6.2."""

    waitaof: bool


def parse_info(text: bytes) -> ServerInfo:
    """Parse the answer to INFO."""
    info = dict(line.split(":", 1) for line in text.decode(errors="replace").splitlines() if ":" in line)
    compatible = info.get("redis_version", "0")
    name = {"valkey": "Valkey"}.get(info.get("server_name", ""), "Redis")
    return ServerInfo(
        run_id=info.get("run_id", ""),
        name=name,
        version=info.get("valkey_version", compatible),
        compatible=tuple(int(part) for part in compatible.split(".") if part.isdecimal()),
        mode=info.get("redis_mode") or info.get("server_mode", "standalone"),
        role=info.get("role", "master"),
        eviction=info.get("maxmemory_policy", _KEEPS_ALL),
        keeps_file=info.get("aof_enabled", "1") == "1",
        loading=info.get("loading", "0") != "0",
        replica_lags=tuple(_lags(info)),
        used_bytes=int(info.get("used_memory", "0")),
        limit_bytes=int(info.get("maxmemory", "0")),
    )


def _lags(info: Mapping[str, str]) -> list[int]:
    offset = int(info.get("master_repl_offset", "0"))
    replicas = [value for name, value in info.items() if name.startswith("slave") and "state=online" in value]
    described = [dict(part.partition("=")[::2] for part in replica.split(",")) for replica in replicas]
    return [max(0, offset - int(replica.get("offset", "0"))) for replica in described]


def obstacle(info: ServerInfo, topology: Topology) -> str | None:
    """Return why this server cannot be used in the topology of REDIS_URL, and what to do; None if it can."""
    clustered = info.mode == "cluster"
    if info.compatible[:2] < OLDEST:
        return f"{info.name} {info.version} is too old. Hookline needs Redis 6.2 or newer, or Valkey."
    if info.mode == "sentinel":
        return "REDIS_URL leads to a Sentinel. Begin it with redis+sentinel:// and end it with the service's name."
    if clustered and topology is not Topology.CLUSTER:
        return "This server is a node of a cluster. Begin REDIS_URL with redis+cluster://."
    if not clustered and topology is Topology.CLUSTER:
        return "REDIS_URL names a cluster, but this server is not part of one. Begin REDIS_URL with redis://."
    if info.role != "master":
        return _REPLICA[topology]
    return None


_REPLICA: Final = {
    Topology.STANDALONE: "This server is a read-only replica. REDIS_URL must lead to its master, or to the Sentinels.",
    Topology.SENTINEL: "The server that the Sentinels name is still a replica: a failover is under way.",
    Topology.CLUSTER: "The node that should have these slots is a replica: a failover is under way.",
}


def risks(info: ServerInfo) -> dict[str, str]:
    """Return the risks of losing events: the reason as in the metrics, and a sentence with the remedy."""
    found: dict[str, str] = {}
    if info.eviction != _KEEPS_ALL:
        found["eviction"] = (
            f"maxmemory-policy is {info.eviction}, so Redis may evict events when memory runs out. Set it to {_KEEPS_ALL}."
        )
    if not info.keeps_file:
        found["no_aof"] = "appendonly is off, so Redis may lose events when it restarts. Set appendonly yes."
    return found


RISKS: Final = ("eviction", "no_aof")
"""All reasons that `risks` can return."""
