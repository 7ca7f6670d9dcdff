"""A real Redis server for one test, which can be killed, restarted, paused and resumed."""

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, Self

import redis

from hookline_cli.up.embedded_redis import find_server
from tests.support.servers.ports import LOOPBACK, free_cluster_port, free_port
from tests.support.servers.running import RunningServer
from tests.support.waiting import PATIENCE_S

BINARY_VARIABLE: Final = "HOOKLINE_TEST_REDIS_SERVER"
"""Names the redis-server to test against, for another version or for Valkey."""

_DEFAULTS: Final = {"bind": LOOPBACK, "save": "", "appendonly": "no", "daemonize": "no", "maxmemory-policy": "noeviction"}
_POLL_S: Final = 0.002
_STARTS: Final = 20


@cache
def server_binary() -> Path:
    """Return the redis-server that tests use."""
    chosen = os.environ.get(BINARY_VARIABLE)
    return Path(chosen) if chosen else find_server()


class RedisServer(RunningServer):
    """A server on a loopback port and in a temporary folder of its own; both stay the same until `close`.

    `settings` are those of redis.conf, for example `{"appendonly": "yes", "replicaof": "127.0.0.1 6379"}`; `environment` has
    more variables for the process. Starting takes, and blocks the caller for, some 50 ms. As a context manager it starts and
    closes.
    """

    def __init__(self, settings: Mapping[str, str] | None = None, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ | dict(environment or {})
        self.folder = Path(tempfile.mkdtemp(prefix="hookline-redis-"))
        self._settings = _DEFAULTS | dict(settings or {})
        self.port = self._free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._chosen = False

    @property
    def url(self) -> str:
        """The REDIS_URL of database 0, with the password if there is one."""
        password = self._settings.get("requirepass", "")
        return f"redis://{f':{password}@' if password else ''}{LOOPBACK}:{self.port}/0"

    @property
    def client(self) -> "redis.Redis":
        """A blocking client for assertions, which works whatever `maxclients` or pools the service uses. Close it after use."""
        return redis.Redis.from_url(self.url, protocol=2, single_connection_client=False)

    @property
    def running(self) -> bool:
        """Whether the process lives, paused or not."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start, and wait until it answers PING, with its data loaded."""
        for _ in range(_STARTS):
            self._process = self._spawn()
            if self._answers():
                self._chosen = True
                return self
            self.kill()
            if not self._chosen:
                self.port = self._free_port()
        log = self._log.read_text()[-2000:]
        self.close()
        raise RuntimeError(f"redis-server does not start:\n{log}")

    def configure(self, settings: Mapping[str, str]) -> None:
        """Change settings, from the next start on."""
        self._settings |= dict(settings)

    def stop(self) -> None:
        """Send SIGTERM, and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the server, as a crash would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start it again on the same port and data, after ending it as a crash would if it still runs."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Stop the server with SIGSTOP: connections stay open, and nothing is answered until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume the process."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _free_port(self) -> int:
        return free_cluster_port() if self._settings.get("cluster-enabled") == "yes" else free_port()

    @property
    def _log(self) -> Path:
        return self.folder / "redis.log"

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            command = [str(server_binary()), *self._arguments()]
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment)

    def _arguments(self) -> list[str]:
        words = ["--port", str(self.port), "--dir", str(self.folder)]
        for name, value in self._settings.items():
            words += [f"--{name}", *(shlex.split(value) or [""])]
        return words

    def _answers(self) -> bool:
        """Wait until it answers; False if it ended instead, as if its port is taken. Loading its data may take long."""
        deadline = time.monotonic() + PATIENCE_S
        with self.client as client:
            while self.running and time.monotonic() < deadline:
                try:
                    if client.ping() and client.info("server")["process_id"] == self._pid:
                        return True
                except redis.BusyLoadingError:
                    deadline = time.monotonic() + PATIENCE_S
                    time.sleep(_POLL_S)
                except redis.RedisError:
                    time.sleep(_POLL_S)
        return False

    @property
    def _pid(self) -> int:
        return self._process.pid if self._process else 0

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._signal(number)
            self._signal(signal.SIGCONT)  # one that is paused would not notice SIGTERM
            self._process.wait(PATIENCE_S)
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
