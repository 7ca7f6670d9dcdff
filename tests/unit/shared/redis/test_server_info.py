"""What a server says of itself, what stands in the way of using it, and what durability it can give."""

import pytest
from redis.exceptions import ResponseError

from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.redis.durability import Durability
from hookline_shared.redis.server_info import Features, ServerInfo, obstacle, parse_info, risks
from hookline_shared.redis.url import Topology

PLAIN, NEWER = Features(waitaof=False), Features(waitaof=True)
ALL = set(Topology)


def info(**changed: str) -> bytes:
    """INFO of a well set-up Redis 7, with some lines changed, and a few that are of no interest."""
    lines = {
        "redis_version": "7.0.15",
        "redis_mode": "standalone",
        "run_id": "abc",
        "maxmemory_policy": "noeviction",
        "aof_enabled": "1",
        "loading": "0",
        "role": "master",
        "master_repl_offset": "100",
        "executable": "/usr/bin/redis-server",
    } | changed
    return ("# Server\r\n" + "".join(f"{name}:{value}\r\n" for name, value in lines.items())).encode()


def facts(**changed: str) -> ServerInfo:
    return parse_info(info(**changed))


@pytest.mark.parametrize(
    ("changed", "name", "version", "mode"),
    [
        ({"redis_version": "6.2.14"}, "Redis", "6.2.14", "standalone"),
        ({"redis_mode": "cluster"}, "Redis", "7.0.15", "cluster"),
        ({"redis_version": "8.0.0"}, "Redis", "8.0.0", "standalone"),
        (
            {
                "redis_version": "7.2.4",
                "server_name": "valkey",
                "valkey_version": "8.0.1",
                "redis_mode": "",
                "server_mode": "cluster",
            },
            "Valkey",
            "8.0.1",
            "cluster",
        ),
    ],
)
def test_servers_are_told_apart(changed: dict[str, str], name: str, version: str, mode: str) -> None:
    """Name, version and mode are read as each kind of server writes them."""
    found = facts(**changed)
    assert (found.name, found.version, found.mode) == (name, version, mode)
    assert obstacle(found, Topology.CLUSTER if mode == "cluster" else Topology.STANDALONE) is None


def test_lag_of_replicas() -> None:
    """Only replicas that are in step count, each with the bytes that it is behind."""
    found = facts(
        slave0="ip=127.0.0.1,port=1,state=online,offset=90,lag=0",
        slave1="ip=127.0.0.1,port=2,state=wait_bgsave,offset=0,lag=0",
        slave2="ip=127.0.0.1,port=3,state=online,offset=100,lag=1",
        slave_read_only="1",
    )
    assert found.replica_lags == (10, 0)


def test_silence_is_no_alarm() -> None:
    """What a managed server leaves out of INFO is not held against it, but its version must be known."""
    found = parse_info(b"redis_version:7.0.0\r\n")
    assert obstacle(found, Topology.STANDALONE) is None
    assert risks(found) == {}
    assert "too old" in str(obstacle(parse_info(b""), Topology.STANDALONE))


@pytest.mark.parametrize(
    ("changed", "topologies", "words"),
    [
        ({"redis_version": "6.0.20"}, ALL, "Redis 6.0.20 is too old"),
        ({"redis_version": "5.0"}, ALL, "too old"),
        ({"redis_mode": "sentinel"}, ALL, "leads to a Sentinel"),
        ({"redis_mode": "cluster"}, ALL - {Topology.CLUSTER}, "redis+cluster://"),
        ({}, {Topology.CLUSTER}, "names a cluster"),
        ({"role": "slave"}, {Topology.STANDALONE}, "read-only replica"),
        ({"role": "slave"}, {Topology.SENTINEL}, "a failover is under way"),
        ({"role": "slave", "redis_mode": "cluster"}, {Topology.CLUSTER}, "a failover is under way"),
    ],
)
def test_obstacles(changed: dict[str, str], topologies: set[Topology], words: str) -> None:
    """Each says what is wrong and what to do."""
    for topology in topologies:
        assert words in str(obstacle(facts(**changed), topology))


def test_risks() -> None:
    """Eviction, and having no file, can lose events; each comes with its remedy."""
    assert risks(facts()) == {}
    found = risks(facts(maxmemory_policy="allkeys-lru", aof_enabled="0"))
    assert found.keys() == {"eviction", "no_aof"}
    assert "noeviction" in found["eviction"]
    assert "appendonly yes" in found["no_aof"]


@pytest.mark.parametrize(
    ("durability", "features", "command"),
    [
        (Durability.MEMORY, NEWER, None),
        (Durability.REPLICA, PLAIN, ("WAIT", 1)),
        (Durability.FSYNC, NEWER, ("WAITAOF", 1, 0)),
        (Durability.FSYNC, PLAIN, None),
        (Durability.FSYNC, None, None),
    ],
)
def test_closing_command(durability: Durability, features: Features | None, command: tuple[str | int, ...] | None) -> None:
    """A batch ends with the one command that waits, for less than the whole call may take."""
    for timeout_s in (0.1, 0.25, 5):
        closing = durability.closing(features, timeout_s)
        assert (closing and tuple(closing)[:-1]) == command
        if closing:
            assert 0 < int(closing[-1]) < timeout_s * 1000


@pytest.mark.parametrize(
    ("durability", "answer", "words"),
    [
        (Durability.REPLICA, 1, None),
        (Durability.REPLICA, 2, None),
        (Durability.REPLICA, 0, "No replica confirmed"),
        (Durability.FSYNC, [1, 0], None),
        (Durability.FSYNC, [0, 3], "did not fsync"),
        (Durability.FSYNC, ResponseError("WAITAOF cannot be used when numlocal is set but appendonly is disabled."), "WAITAOF"),
    ],
)
def test_shortfall(durability: Durability, answer: object, words: str | None) -> None:
    """Anything less than what was asked for is an error that says so."""
    found = durability.shortfall(answer)
    assert found is None if words is None else words in str(found)
    assert found is None or isinstance(found, BrokerUnavailableError)


@pytest.mark.parametrize(
    ("durability", "changed", "features", "appendfsync", "words"),
    [
        (Durability.MEMORY, {"aof_enabled": "0"}, PLAIN, None, None),
        (Durability.REPLICA, {}, PLAIN, None, "no replica is connected"),
        (Durability.REPLICA, {"slave0": "state=online,offset=1"}, PLAIN, None, None),
        (Durability.FSYNC, {"aof_enabled": "0"}, NEWER, "always", "Set appendonly yes"),
        (Durability.FSYNC, {}, PLAIN, "always", None),
        (Durability.FSYNC, {}, PLAIN, "everysec", "Set appendfsync always"),
        (Durability.FSYNC, {}, PLAIN, None, "appendfsync is unknown"),
        (Durability.FSYNC, {}, NEWER, "everysec", None),
    ],
)
def test_what_a_server_cannot_give(
    durability: Durability, changed: dict[str, str], features: Features, appendfsync: str | None, words: str | None
) -> None:
    """A durability that the server cannot give is reported before the first event is refused."""
    found = durability.obstacle(facts(**changed), features, appendfsync)
    assert found is None if words is None else words in str(found)
