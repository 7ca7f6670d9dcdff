"""A master and a replica that may fall behind and then take over, without what the master did meanwhile."""

from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

import redis

from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.redis_server import RedisServer
from tests.support.time.settable_clock import SettableClock
from tests.support.waiting import until_now

_SETTINGS: Final = {"repl-diskless-sync": "yes", "repl-diskless-sync-delay": "0", "repl-diskless-load": "swapdb"}


class RedisPair:
    """Two servers with a clock each; without `clocks`, those of the machine. As a context manager it starts and closes."""

    def __init__(self, clocks: Sequence[SettableClock] = ()) -> None:
        environments = [clock.environment for clock in clocks] or [{}, {}]
        self._servers = [RedisServer(_SETTINGS, environment) for environment in environments]
        self._clocks = list(clocks)
        self._clients: list[redis.Redis] = []

    @property
    def port(self) -> int:
        """Where the master listens."""
        return self._servers[0].port

    @property
    def master(self) -> "redis.Redis":
        """A blocking client of the master."""
        return self._clients[0]

    def fall_behind(self) -> None:
        """Stop the replication. The replica keeps its data."""
        self._clients[1].execute_command("REPLICAOF", LOOPBACK, free_port())

    def catch_up(self) -> None:
        """Resume the replication; WAIT reports when the replica is in step."""
        self._clients[1].execute_command("REPLICAOF", LOOPBACK, self.port)

    def fail_over(self) -> None:
        """Make the replica the master, as it is, and the other its replica, which is then not yet in step."""
        self._clients[1].execute_command("REPLICAOF", "NO", "ONE")
        self._servers.reverse()
        self._clients.reverse()
        self._clocks.reverse()
        self.catch_up()

    def set_clock(self, ahead_s: int) -> None:
        """Set the clock of the master."""
        if self._clocks:
            self._clocks[0].set_ahead(ahead_s)

    def reset(self) -> None:
        """Empty both, with the right time, and have the replica in step."""
        for clock in self._clocks:
            clock.set_ahead(0)
        self.catch_up()
        self.master.flushall()
        self.wait_in_step()

    def wait_in_step(self) -> None:
        """Wait until the replica has all that was done until now."""
        until_now(self._in_step, "the replica is in step")

    def _in_step(self) -> bool:
        return bool(self.master.execute_command("WAIT", 1, 100))

    def __enter__(self) -> Self:
        for server in self._servers:
            server.start()
            self._clients.append(server.client)
        self.reset()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for client in self._clients:
            client.close()
        for server in self._servers:
            server.close()
