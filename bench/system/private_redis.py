"""A Redis server for the benchmark: empty, in memory only, on a free loopback port."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from redis import Redis

from bench.system.probes import accepts
from bench.system.processes import Child, free_port, running
from hookline_cli.up.embedded_redis import find_server

_POLL_S: Final = 0.05


class PrivateRedis:
    """The running server. `url` is for the services, `client` for the benchmark itself."""

    def __init__(self, child: Child, port: int) -> None:
        self.pid = child.pid
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self.client = Redis(host="127.0.0.1", port=port, socket_timeout=10)

    def version(self) -> str:
        """Return the server's version."""
        info: dict[str, Any] = self.client.execute_command("INFO", "server")
        return str(info["redis_version"])

    def empty(self) -> None:
        """Delete everything, so that memory stays bounded and every round starts equal."""
        self.client.execute_command("FLUSHALL")


@contextmanager
def private_redis(directory: Path, core: int | None, *, durable: bool = False) -> Iterator[PrivateRedis]:
    """Run a server on `core` within the context; a durable one has every write on disk before it answers.

    Raises:
        NoRedisError: if there is no server to run.

    """
    port = free_port()
    command = server_command(port, directory, durable=durable)
    with running("redis-durable" if durable else "redis-server", command, directory, core) as child:
        child.wait_until(lambda: accepts(port))
        server = PrivateRedis(child, port)
        try:
            yield server
        finally:
            server.client.close()


@contextmanager
def replicated_redis(directory: Path, core: int | None) -> Iterator[PrivateRedis]:
    """Run a server with one replica, both on `core`, within the context.

    Raises:
        NoRedisError: if there is no server to run.

    """
    homes = [directory / name for name in ("master", "replica")]
    for home in homes:
        home.mkdir()
    with private_redis(homes[0], core) as master, private_redis(homes[1], core) as replica:
        replica.client.replicaof("127.0.0.1", str(master.port))
        while replica.client.info("replication")["master_link_status"] != "up":
            time.sleep(_POLL_S)
        yield master


def server_command(port: int, directory: Path, *, durable: bool) -> list[str]:
    """Return the command that runs a server on loopback.

    Raises:
        NoRedisError: if there is no server to run.

    """
    settings = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(directory),
        "save": "",
        "appendonly": "yes" if durable else "no",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
    }
    return [str(find_server()), *(word for name, value in settings.items() for word in (f"--{name}", value))]
