"""deploy/redis.conf, as compose.yaml gives it to Redis."""

from pathlib import Path

import pytest

from tests.support.redis_server import RedisServer

_DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.mark.parametrize("variant", ["redis.conf", "redis-always.conf"])
def test_redis_takes_its_configuration(variant: str, tmp_path: Path) -> None:
    """A real server starts with it, and runs as it says: nothing evicted, everything in the append-only file."""
    (tmp_path / "users.acl").write_text("user default on nopass ~* +@all\n")
    folder = tmp_path / "etc"
    folder.mkdir()
    for name in ("redis.conf", "redis-always.conf"):
        text = (_DEPLOY / name).read_text()
        (folder / name).write_text(
            text.replace("/run/secrets/users.acl", str(tmp_path / "users.acl")).replace("/etc/redis/", f"{folder}/")
        )
    with RedisServer({"include": str(folder / variant)}) as server, server.client as client:
        found = client.config_get("*")
    wanted = {
        "appendonly": "yes",
        "appendfsync": "always" if "always" in variant else "everysec",
        "maxmemory": str(1 << 30),
        "maxmemory-policy": "noeviction",
        "stream-node-max-bytes": "2048",
        "tcp-keepalive": "60",
    }
    assert {name: found[name] for name in wanted} == wanted
