"""The Redis of the Kubernetes manifests, started as it is there, with the users that its script makes."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from hookline_cli.up.embedded_redis import _version
from hookline_shared.redis.server_info import parse_info, risks
from tests.support.deployment.manifests import K8S, Manifests, Object, pod
from tests.support.servers.ports import LOOPBACK
from tests.support.servers.redis_server import RedisServer, server_binary

COMPONENT: Final = K8S / "components" / "redis"
DEPLOY: Final = K8S.parent
PASSWORD: Final = "0123456789abcdef"
ADMIN_PASSWORD: Final = "fedcba9876543210"
UNITS: Final = {"mb": 1 << 20, "gb": 1 << 30, "Mi": 1 << 20, "Gi": 1 << 30}
WAITAOF: Final = (7, 2)
ONCE: Final = Retry(NoBackoff(), 0)


def container() -> Object:
    """Return the container of the small overlay's Redis."""
    (found,) = pod(Manifests.of_overlay("small").workload("hookline-redis"))["containers"]
    return dict(found)


def size(text: str) -> int:
    """Return the bytes of a size as Redis or Kubernetes write it."""
    return int(text[:-2]) * UNITS[text[-2:]]


def write_users(folder: Path, **passwords: str) -> subprocess.CompletedProcess[str]:
    """Have the init container's script write users.acl into `folder`."""
    told = {"PATH": "/usr/bin:/bin", **passwords}
    return subprocess.run(["sh", COMPONENT / "users.sh", folder], env=told, check=False, capture_output=True, text=True)


def users(text: str) -> list[str]:
    """Return the lines for users without the digests in them."""
    return [
        re.sub(r"#(\$\(.*?\)|[0-9a-f]{64}) |\$(admin|service)", "", line)
        for line in re.findall(r"^user .*$", text, re.MULTILINE)
    ]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """Yield the server as its container has it, with files of `tmp_path` for those of its volumes."""
    assert write_users(tmp_path, REDIS_PASSWORD=PASSWORD, REDIS_ADMIN_PASSWORD=ADMIN_PASSWORD).returncode == 0
    if _version(server_binary()) < WAITAOF:
        acl = tmp_path / "users.acl"
        acl.write_text(acl.read_text().replace(" +waitaof", ""))
    conf = (COMPONENT / "redis.conf").read_text().replace("/run/secrets/", f"{tmp_path}/")
    (tmp_path / "redis.conf").write_text(conf.replace("bind * -::*", f"bind {LOOPBACK}"))
    program, file, *words = container()["command"]
    assert (program, file) == ("redis-server", "/etc/redis/redis.conf")
    told = dict(zip((word.removeprefix("--") for word in words[::2]), words[1::2], strict=True))
    assert told.pop("dir") == "/data"
    with RedisServer({"include": f"{tmp_path}/redis.conf", **told, "requirepass": ADMIN_PASSWORD}) as running:
        yield running


def test_configuration_is_that_of_compose() -> None:
    """The copy is the same to the byte, and its users may do what those of Compose may."""
    assert (COMPONENT / "redis.conf").read_bytes() == (DEPLOY / "redis.conf").read_bytes()
    script = (COMPONENT / "users.sh").read_text()
    assert users(script) == users((DEPLOY / "secrets.sh").read_text())


def test_it_has_room_for_a_rewrite() -> None:
    """The limit is twice what the data may take: while the log is rewritten, what changes exists twice."""
    command = container()["command"]
    assert size(container()["resources"]["limits"]["memory"]) >= 2 * size(command[command.index("--maxmemory") + 1])


def test_it_loses_nothing(server: RedisServer) -> None:
    """It has none of the settings that could lose events, and those that save memory."""
    with server.client as client:
        client.set_response_callback("INFO", bytes)
        assert not risks(parse_info(client.execute_command("INFO")))
        assert client.config_get("save")["save"] == ""
        assert client.config_get("stream-node-max-bytes")["stream-node-max-bytes"] == "2048"
        assert client.config_get("maxmemory")["maxmemory"] == str(512 << 20)


def test_users_are_kept_apart(server: RedisServer) -> None:
    """Hookline's user works with its own keys and no more, and nobody comes in without a password."""
    with redis.Redis(LOOPBACK, server.port, username="hookline", password=PASSWORD) as client:
        assert client.set("hookline:one", "1")
        for refused in (["SET", "other", "1"], ["FLUSHALL"], ["CONFIG", "SET", "appendonly", "no"]):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*refused)
    for password in (None, PASSWORD):
        default = redis.Redis(LOOPBACK, server.port, password=password, retry=ONCE)
        with default, pytest.raises(redis.exceptions.AuthenticationError):
            default.ping()


def test_default_user_has_a_password_of_nobody(tmp_path: Path) -> None:
    """Without a password for people, the default user's is another at each start."""
    made: set[str] = set()
    for _ in range(2):
        assert write_users(tmp_path, REDIS_PASSWORD=PASSWORD).returncode == 0
        made.update(line for line in (tmp_path / "users.acl").read_text().splitlines() if line.startswith("user default"))
    assert len(made) == 2
    assert all(re.fullmatch(r"user default on #[0-9a-f]{64} ~\* &\* \+@all", line) for line in made)


def test_missing_password_is_told(tmp_path: Path) -> None:
    """A Secret without the password stops the pod before Redis would let everybody in, and its log says why."""
    done = write_users(tmp_path, REDIS_PASSWORD="")
    assert done.returncode != 0
    assert "The Secret hookline-redis needs REDIS_PASSWORD" in done.stderr
    assert not (tmp_path / "users.acl").exists()
