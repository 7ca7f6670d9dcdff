"""deploy/redis.conf, as compose.yaml gives it to Redis, with the users that deploy/secrets.sh makes."""

import re
from hashlib import sha256
from pathlib import Path

import pytest
import redis

from hookline_cli.up.embedded_redis import _version
from tests.support.servers.ports import LOOPBACK
from tests.support.servers.redis_server import RedisServer, server_binary

_DEPLOY = Path(__file__).parents[3] / "deploy"
_ACCEPTED = re.compile(r"^ *(\w+)=\$\(accepted (\w+)\)$", re.MULTILINE)
_DEFAULT = re.compile(r"\$\{\w+:-(\w+)\}")
_WAITAOF = (7, 2)
TWO_WRITES = "redis.call('SET', KEYS[1], 'a') return redis.call('SET', KEYS[2], 'b')"
"""Goes into the append-only file as a transaction."""


def users() -> str:
    """Return the users as deploy/secrets.sh makes them, the password of each being the name of its secret."""
    script = (_DEPLOY / "secrets.sh").read_text()
    text = "\n".join(re.findall(r"^user .*$", script, re.MULTILINE)) + "\n"
    for variable, name in _ACCEPTED.findall(script):
        text = text.replace(f"${variable}", f"#{sha256(name.encode()).hexdigest()} ")
    text = _DEFAULT.sub(r"\1", text)
    return text if _version(server_binary()) >= _WAITAOF else text.replace(" +waitaof", "")


def configured(variant: str, folder: Path) -> RedisServer:
    """Return a server with a configuration of `deploy/`, which is told where its other files are here."""
    (folder / "users.acl").write_text(users())
    for name in ("redis.conf", "redis-always.conf"):
        text = (_DEPLOY / name).read_text().replace("/run/secrets/", f"{folder}/").replace("/etc/redis/", f"{folder}/")
        (folder / name).write_text(text)
    return RedisServer({"include": str(folder / variant), "requirepass": "redis_admin_password"})


@pytest.mark.parametrize("variant", ["redis.conf", "redis-always.conf"])
def test_redis_takes_its_configuration(variant: str, tmp_path: Path) -> None:
    """A real server starts with it, and runs as it says: nothing evicted, everything in the append-only file."""
    with configured(variant, tmp_path) as server, server.client as client:
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


def test_what_was_written_is_there_after_a_kill(tmp_path: Path) -> None:
    """The append-only file is loaded as the default user, so that must be allowed whatever Hookline's user has written."""
    keys = ["hookline:{0}:one", "hookline:{0}:two"]
    with configured("redis-always.conf", tmp_path) as server:
        with redis.Redis(LOOPBACK, server.port, username="hookline", password="redis_password") as client:
            client.eval(TWO_WRITES, len(keys), *keys)
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.config_set("appendonly", "no")
        server.restart()
        with server.client as client:
            assert client.mget(keys) == [b"a", b"b"]
