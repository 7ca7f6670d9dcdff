"""Each thing that `hookline doctor` looks at, broken for real."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from hookline_cli.doctor.checks.redis_server import check_redis
from hookline_cli.doctor.checks.spool_disk import check_spool
from hookline_cli.doctor.finding import Level
from hookline_shared.clock import SystemClock
from hookline_shared.event import SCHEMA
from tests.support.faults.full_disk import full_disk
from tests.support.processes.findings import subject, the_wrong, wrongs
from tests.support.servers.cluster_set import ClusterSet
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.redis_server import RedisServer
from tests.support.servers.sentinel_set import SentinelSet
from tests.support.storage.keys import keys

SAFE = {"appendonly": "yes", "appendfsync": "always"}


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    """Yield what closes the servers that are entered into it."""
    with ExitStack() as stack:
        yield stack


async def redis_wrongs(url: str, **settings: str) -> list[tuple[Level, str]]:
    return wrongs(await check_redis(subject({"REDIS_URL": url, **settings})))


async def test_good_redis(own_redis: RedisServer) -> None:
    """Nothing is wrong with one that keeps what it is given, and looking leaves nothing behind."""
    assert await redis_wrongs(own_redis.url) == []
    with own_redis.client as client:
        assert client.dbsize() == 0


@pytest.mark.parametrize(
    ("broken", "level", "words"),
    [
        ({"maxmemory-policy": "allkeys-lru"}, Level.PROBLEM, "maxmemory-policy is allkeys-lru"),
        ({"appendonly": "no"}, Level.PROBLEM, "appendonly is off"),
        ({"appendfsync": "no"}, Level.WARNING, "appendfsync is no"),
    ],
)
async def test_redis_that_loses_data(servers: ExitStack, broken: Mapping[str, str], level: Level, words: str) -> None:
    """Settings that lose what was accepted are problems, those that may lose half a minute of it are warnings."""
    server = servers.enter_context(RedisServer(SAFE | dict(broken)))
    ((found, text),) = await redis_wrongs(server.url)
    assert found is level
    assert text.startswith(words)


async def test_redis_with_a_password(servers: ExitStack) -> None:
    """A password that is missing or wrong is reported as such, and not shown."""
    server = servers.enter_context(RedisServer(SAFE | {"requirepass": "planted-right"}))
    assert await redis_wrongs(server.url) == []
    for password, words in (("", "requires a password"), (":planted-wrong@", "refused the user or password")):
        found = await check_redis(subject({"REDIS_URL": f"redis://{password}{LOOPBACK}:{server.port}/0"}))
        level, text = the_wrong(found)
        assert level is Level.PROBLEM
        assert words in text
        assert "planted" not in str(found)


async def test_redis_that_is_not_there(cluster_set: ClusterSet, sentinel_set: SentinelSet, own_redis: RedisServer) -> None:
    """A closed port, a node of a cluster, a Sentinel, and a single server in the place of a cluster are distinguished."""
    cases = {
        f"redis://{LOOPBACK}:{free_port()}/0": "cannot be reached",
        cluster_set.url.replace("redis+cluster://", "redis://").split(",")[0]: "node of a cluster",
        own_redis.url.replace("redis://", "redis+cluster://"): "redis://",
        f"redis+sentinel://{LOOPBACK}:{free_port()}/main/0": "No Sentinel knows",
        sentinel_set.url.replace("redis+sentinel://", "redis://").split(",")[0]: "leads to a Sentinel",
    }
    for url, words in cases.items():
        ((level, text),) = await redis_wrongs(url)
        assert level is Level.PROBLEM, url
        assert words in text


async def test_other_topologies(cluster_set: ClusterSet, sentinel_set: SentinelSet) -> None:
    """The masters of a cluster, and the one that the Sentinels name, are found; what is wrong with each is reported."""
    for url in (cluster_set.url, sentinel_set.url):
        found = await check_redis(subject({"REDIS_URL": url}))
        assert {text for _, text in wrongs(found)} <= {
            "appendonly is off, so Redis may lose events when it restarts. Set appendonly yes."
        }
        assert any(finding.check == "partitions" for finding in found)


async def test_read_only_replica(servers: ExitStack, own_redis: RedisServer) -> None:
    """A replica takes no writes."""
    replica = servers.enter_context(RedisServer(SAFE | {"replicaof": f"{LOOPBACK} {own_redis.port}"}))
    ((level, text),) = await redis_wrongs(replica.url)
    assert level is Level.PROBLEM
    assert "read-only replica" in text


async def test_redis_without_memory(servers: ExitStack) -> None:
    """One that takes no more events is a problem, and one that soon will not is a warning."""
    server = servers.enter_context(RedisServer(SAFE))
    with server.client as client:
        used = int(client.info("memory")["used_memory"])
        client.config_set("maxmemory", used + used // 10)
        ((level, text),) = await redis_wrongs(server.url)
        assert level is Level.WARNING
        assert "of maxmemory is in use" in text
        client.config_set("maxmemory", 1)
        (level, text), _ = await redis_wrongs(server.url)
        assert level is Level.PROBLEM
        assert "no memory left" in text


async def test_user_who_may_not(own_redis: RedisServer) -> None:
    """A user in REDIS_URL who lacks a right is told which."""
    with own_redis.client as client:
        client.execute_command("ACL", "SETUSER", "looker", "on", ">pw", "~*", "+@all", "-lpushx")
    ((level, text),) = await redis_wrongs(own_redis.url.replace("redis://", "redis://looker:pw@"))
    assert level is Level.PROBLEM
    assert "lpushx" in text


async def test_durability_that_is_not_to_be_had(own_redis: RedisServer) -> None:
    """INGRESS_DURABILITY=replica needs a replica."""
    ((level, text),) = await redis_wrongs(own_redis.url, INGRESS_DURABILITY="replica")
    assert level is Level.PROBLEM
    assert "no replica is connected" in text


async def test_data_that_is_laid_out_otherwise(own_redis: RedisServer) -> None:
    """Another number of partitions, or another schema, keeps both services from starting."""
    with own_redis.client as client:
        client.hset(keys.layout, mapping={"partitions": "3", "schema": SCHEMA})
        ((level, text),) = await redis_wrongs(own_redis.url)
        assert level is Level.PROBLEM
        assert text == "Redis holds data in 3 partitions, but HOOKLINE_PARTITIONS is 8"
        assert await redis_wrongs(own_redis.url, HOOKLINE_PARTITIONS="3") == []
        client.hset(keys.layout, "schema", "99")
        ((_, text),) = await redis_wrongs(own_redis.url, HOOKLINE_PARTITIONS="3")
        assert "schema 99" in text


@pytest.mark.parametrize(("slow_s", "words"), [(7, "7.0 s ahead"), (-7, "7.0 s behind")])
async def test_clocks_that_differ(own_redis: RedisServer, slow_s: int, words: str) -> None:
    """Ours is `slow_s` seconds behind the one of Redis."""

    class Clock(SystemClock):
        def now_ms(self) -> int:
            return time.time_ns() // 1_000_000 - 1000 * slow_s

    level, text = the_wrong(await check_redis(subject({"REDIS_URL": own_redis.url}), Clock()))
    assert level is Level.WARNING
    assert words in text


async def spool_wrongs(path: Path | str, max_mb: int = 1) -> list[tuple[Level, str]]:
    """Return what is wrong, except that the tests may run in a container."""
    found = wrongs(await check_spool(subject({"INGRESS_SPOOL_PATH": path, "INGRESS_SPOOL_MAX_MB": max_mb})))
    return [(level, text) for level, text in found if "is inside a container" not in text]


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_good_spool(tmp_path: Path) -> None:
    """A file in a folder that can be made is fine, and neither is made by looking."""
    assert await spool_wrongs(tmp_path / "new" / "spool.db") == []
    assert files(tmp_path) == []


async def test_spool_that_cannot_be_written(tmp_path: Path) -> None:
    """A file where a folder should be, a folder where a file should be, another file, and a full disk are problems."""
    (tmp_path / "file").touch()
    (tmp_path / "other.db").write_bytes(b"not a database, but long enough to be read as one" * 100)
    cases = {"file/spool.db": "Not a directory", ".": "it is a folder", "other.db": "file is not a database"}
    for name, words in cases.items():
        ((level, text),) = await spool_wrongs(tmp_path / name)
        assert level is Level.PROBLEM
        assert words in text
    with full_disk():
        ((level, text),) = await spool_wrongs(tmp_path / "spool.db")
    assert level is Level.PROBLEM
    assert "too large" in text


async def test_spool_that_would_not_fit(tmp_path: Path) -> None:
    """If the disk would be full before the spool, that is a warning."""
    ((level, text),) = await spool_wrongs(tmp_path / "spool.db", max_mb=10**9)
    assert level is Level.WARNING
    assert "INGRESS_SPOOL_MAX_MB is 1000000000" in text


async def test_no_spool() -> None:
    """Whoever wants none is told what that means."""
    ((level, text),) = await spool_wrongs("")
    assert (level, text) == (Level.WARNING, "there is no spool")


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="has no file system in memory")
async def test_spool_in_memory() -> None:
    """A file system in memory forgets what Twilio was told is safe."""
    ((level, text),) = await spool_wrongs(Path("/dev/shm/hookline-doctor/spool.db"))
    assert level is Level.PROBLEM
    assert "is in memory" in text


@pytest.mark.parametrize(
    ("kind", "level", "words"),
    [("nfs4", Level.PROBLEM, "is on a network file system"), ("overlay", Level.WARNING, "is inside a container")],
)
async def test_spool_that_does_not_last(
    kind: str, level: Level, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk over the network damages it, and one of a container goes with that."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/exported {tmp_path} {kind} rw 0 0\n")
    monkeypatch.setattr("hookline_cli.doctor.checks.spool_disk._MOUNTS", mounts)
    wrong = the_wrong(await check_spool(subject({"INGRESS_SPOOL_PATH": tmp_path / "spool.db", "INGRESS_SPOOL_MAX_MB": 1})))
    assert wrong[0] is level
    assert words in wrong[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder from which a processor would start."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    return tmp_path
