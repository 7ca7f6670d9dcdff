"""A real Redis server of a test's own."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import redis

from cli.embedded_redis import find_server

_START_S = 10.0


class RedisServer:
    """A `redis-server` process with its own port and folder. `settings` are written as on its command line, without dashes.

    `HOOKLINE_TEST_REDIS_SERVER` names another binary to test against.
    """

    def __init__(self, **settings: str) -> None:
        self._binary = os.environ.get("HOOKLINE_TEST_REDIS_SERVER") or str(find_server())
        self._folder = Path(tempfile.mkdtemp(prefix="hookline-redis-"))
        self._settings = {"save": "", "appendonly": "no", "loglevel": "warning"} | settings
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        """What REDIS_URL must be."""
        password = self._settings.get("requirepass")
        return f"redis://{f':{password}@' if password else ''}127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        """Give a client for assertions."""
        return redis.Redis(port=self.port, password=self._settings.get("requirepass"), decode_responses=False)

    def start(self) -> "RedisServer":
        """Start it, again if it ran before, and wait until it answers."""
        words = [word for name, value in self._settings.items() for word in (f"--{name}", value)]
        command = [self._binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), *words]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait_until_it_answers()
        return self

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stop it from doing anything, its connections staying open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End it and remove its folder."""
        if self._process is not None:
            self.resume()
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _wait_until_it_answers(self) -> None:
        until = time.monotonic() + _START_S
        with self.client() as client:
            while time.monotonic() < until:
                try:
                    client.ping()
                except (redis.ConnectionError, redis.exceptions.BusyLoadingError):
                    time.sleep(0.01)
                else:
                    return
        raise TimeoutError(f"redis-server did not start: {(self._folder / 'log').read_text()}")


def free_port() -> int:
    """Give a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
