"""A master with two replicas, and three Sentinels that watch over them: all real servers, which can be killed and come back."""

import contextlib
from typing import Any, Final, Self

import redis

from tests.support.servers.ports import LOOPBACK
from tests.support.servers.redis_server import RedisServer
from tests.support.servers.running import RunningServer
from tests.support.waiting import until_now

SERVICE: Final = "hookline"
REPLICAS: Final = 2
SENTINELS: Final = 3

_PAUSE_MS: Final = 5000
_DATA: Final = {
    "appendonly": "yes",
    "appendfsync": "always",
    "repl-diskless-sync-delay": "0",
    "repl-ping-replica-period": "1",
    "repl-timeout": "5",
}
_WATCHING: Final = f"""
sentinel monitor {SERVICE} {LOOPBACK} {{master}} 2
sentinel down-after-milliseconds {SERVICE} 1000
sentinel failover-timeout {SERVICE} 2000
sentinel parallel-syncs {SERVICE} {REPLICAS}
"""


class Sentinel(RedisServer):
    """A Sentinel that watches the master on `master_port`. It keeps what it learns in a file, over restarts."""

    def __init__(self, master_port: int) -> None:
        super().__init__()
        self._config = f"bind {LOOPBACK}\ndir {self.folder}\n{_WATCHING.format(master=master_port)}"

    def _arguments(self) -> list[str]:
        file = self.folder / "sentinel.conf"
        if not file.exists() or f"port {self.port}" not in file.read_text():
            file.write_text(f"port {self.port}\n{self._config}")
        return [str(file), "--sentinel"]


class SentinelSet(RunningServer):
    """As a context manager it starts, which takes some seconds, and closes."""

    def __init__(self) -> None:
        self.servers: list[RedisServer] = []
        self.sentinels: list[Sentinel] = []

    @property
    def url(self) -> str:
        """The REDIS_URL that names the Sentinels."""
        hosts = ",".join(f"{LOOPBACK}:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{SERVICE}/0"

    @property
    def client(self) -> "redis.Redis":
        """A blocking client of the present master, for assertions. Close it after use."""
        return self.master.client

    @property
    def master(self) -> RedisServer:
        """The server that the Sentinels call master now."""
        ports = {self._master_port(sentinel) for sentinel in self.sentinels if sentinel.running}
        return next(server for server in self.servers if server.port in ports)

    def start(self) -> Self:
        """Start, and wait until all know of each other."""
        master = RedisServer(_DATA).start()
        self.servers.append(master)
        for _ in range(REPLICAS):
            self.servers.append(RedisServer(_DATA | _following(master)).start())
        self.sentinels = [Sentinel(master.port) for _ in range(SENTINELS)]
        for sentinel in self.sentinels:
            sentinel.start()
        until_now(self.healthy, "the Sentinels know each other and all replicas")
        return self

    def healthy(self) -> bool:
        """Whether the Sentinels agree on a master, know each other, and all replicas are in step."""
        facts = [self._facts(sentinel) for sentinel in self.sentinels]
        if len({str(fact.get("port")) for fact in facts}) != 1 or not all(map(_knows_all, facts)):
            return False
        with self.master.client as client:
            replication = client.info("replication")
        replicas = [value for name, value in replication.items() if name.startswith("slave") and isinstance(value, dict)]
        return str(replication["role"]) == "master" and [replica["state"] for replica in replicas] == ["online"] * REPLICAS

    def revive(self, server: RedisServer) -> None:
        """Start a server that was killed again, as a replica of the present master."""
        server.configure(_following(self.master))
        server.start()

    def wait_new_master(self, old: RedisServer) -> RedisServer:
        """Wait until the Sentinels all name another master than `old`, and it takes writes; return it."""
        until_now(lambda: self._replaced(old), "there is another master")
        return self.master

    def fail_over(self, _key: str = "") -> None:
        """Have a replica take over while the master lives, and wait until it has.

        Sentinels do not wait for the replica to catch up, nor keep the old master from taking writes; so that is paused first.
        """
        old = self.master
        with old.client as client:
            client.execute_command("CLIENT", "PAUSE", _PAUSE_MS, "WRITE")
        with self.sentinels[0].client as client:
            client.execute_command("SENTINEL FAILOVER", SERVICE)
        self.wait_new_master(old)

    def reset(self) -> Self:
        """Restore all servers and links, and delete the data."""
        for server in [*self.servers, *self.sentinels]:
            server.resume()
        for server in self.servers:
            if not server.running:
                self.revive(server)
        until_now(self.healthy, "all are well again")
        with self.client as client:
            client.flushall()
        return self

    def close(self) -> None:
        """Stop all servers and remove their folders."""
        for server in [*self.sentinels, *self.servers]:
            server.close()

    def _replaced(self, old: RedisServer) -> bool:
        ports = {self._master_port(sentinel) for sentinel in self.sentinels}
        if len(ports) != 1 or ports == {old.port}:
            return False
        with self.master.client as client:
            return str(client.info("replication")["role"]) == "master"

    def _master_port(self, sentinel: RedisServer) -> int:
        return int(self._facts(sentinel).get("port", 0))

    def _facts(self, sentinel: RedisServer) -> dict[str, Any]:
        with sentinel.client as client, contextlib.suppress(redis.RedisError):
            return dict(client.sentinel_master(SERVICE))
        return {}


def _following(master: RedisServer) -> dict[str, str]:
    return {"replicaof": f"{LOOPBACK} {master.port}"}


def _knows_all(facts: dict[str, Any]) -> bool:
    known = (int(facts.get("num-slaves", 0)), int(facts.get("num-other-sentinels", 0)))
    return known >= (REPLICAS, SENTINELS - 1) and "down" not in str(facts.get("flags"))
