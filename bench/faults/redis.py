"""A Redis server that can be stalled, and killed and started again with its data."""

import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from redis import Redis

from bench.system.private_redis import server_command
from bench.system.probes import accepts
from bench.system.processes import Child, free_port, running

_RESTART_S: Final = 0.05


class FaultyRedis:
    """Every write is on disk before it is answered, so that a kill loses nothing that was confirmed."""

    def __init__(self, stack: ExitStack, directory: Path, core: int | None) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._stack = stack
        self._directory = directory
        self._core = core
        self._child = self._start()

    def client(self) -> "Redis":
        """Return a new client."""
        return Redis(host="127.0.0.1", port=self.port, socket_timeout=10)

    def stall(self, seconds: float) -> None:
        """Stop answering for a while, with all connections open."""
        os.kill(self._child.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(self._child.pid, signal.SIGCONT)

    def kill(self, seconds: float) -> None:
        """Kill the server, and start it again after a while."""
        self._child.kill()
        time.sleep(seconds)
        self._child = self._start()

    def _start(self) -> Child:
        command = server_command(self.port, self._directory, durable=True)
        child = self._stack.enter_context(running("redis", command, self._directory, self._core))
        child.wait_until(lambda: accepts(self.port))
        return child
