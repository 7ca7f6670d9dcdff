"""A service as a real child process."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

_WAIT_S = 20.0
_POLL_S = 0.01
_ROOT = Path(__file__).parents[2]


class ServiceProcess:
    """`python -m <name>` with `settings` as its only Hookline settings. The system chooses its ports; `port` tells them."""

    def __init__(self, name: str, settings: Mapping[str, str]) -> None:
        self.name = name
        ports = {f"{name.upper()}_ADMIN_PORT": "0"} | ({"INGRESS_PORT": "0"} if name == "ingress" else {})
        plain = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "COVERAGE_PROCESS_START") if key in os.environ}
        self._environment = {**plain, "PYTHONPATH": str(_ROOT), "LOG_FORMAT": "json", **ports, **settings}
        self._log = Path(tempfile.mkstemp(prefix=f"hookline-{name}-")[1])
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self.port = 0
        self.admin_port = 0

    def start(self, *, ready: bool = True) -> "ServiceProcess":
        """Start it, again if it ran before, and wait until it listens, and is ready if `ready`."""
        self._log_start = self._log.stat().st_size
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", self.name]
            self._process = subprocess.Popen(command, cwd=_ROOT, env=self._environment, stdout=log, stderr=log)
        listening = self.wait_for_log("listening")
        self.admin_port = int(str(listening["admin_port"]))
        self.port = int(str(listening.get("port", 0)))
        if self.port:
            self._environment["INGRESS_PORT"] = str(self.port)  # after a restart its clients find it where it was
        if ready:
            self.wait_until_ready()
        return self

    def run(self) -> tuple[int, str]:
        """Run it until it ends by itself; gives its exit code and what it wrote."""
        command = [sys.executable, "-m", self.name]
        done = subprocess.run(
            command, cwd=_ROOT, env=self._environment, capture_output=True, text=True, timeout=_WAIT_S, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def wait_until_ready(self) -> None:
        """Wait until /readyz says ok."""
        self._wait(lambda: self.probe("readyz")[0] == 200, "did not become ready")

    def wait_for_log(self, event: str) -> dict[str, object]:
        """Wait for the line of `event` since the last start, and give it."""
        found: list[dict[str, object]] = []

        def look() -> bool:
            found.extend(line for line in self.log_lines() if line.get("event") == event)
            return bool(found)

        self._wait(look, f"did not log {event!r}")
        return found[0]

    def log_lines(self) -> list[dict[str, object]]:
        """Give the JSON lines logged since the last start."""
        lines = self._log.read_bytes()[self._log_start :].decode().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def log_text(self) -> str:
        """Give everything it ever wrote."""
        return self._log.read_text()

    def probe(self, path: str) -> tuple[int, str]:
        """Give the answer of the admin port to a GET of `path`, status 0 if it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def kill(self) -> None:
        """End it as a crash would."""
        self._signal(signal.SIGKILL)
        self.wait()

    def terminate(self) -> int:
        """Ask it to stop, and wait until it has; gives its exit code."""
        self._signal(signal.SIGTERM)
        return self.wait()

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._signal(number)

    def wait(self) -> int:
        """Wait until it has ended; gives its exit code."""
        if self._process is None:
            raise RuntimeError("it was not started")
        return self._process.wait(_WAIT_S * 2)

    def close(self) -> None:
        """End it, whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            self._signal(signal.SIGCONT)
            self.kill()
        self._log.unlink(missing_ok=True)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _wait(self, condition: Callable[[], bool], failure: str) -> None:
        until = time.monotonic() + _WAIT_S
        while not condition():
            if self._process is not None and self._process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self._process.returncode}: {self.log_text()[-2000:]}")
            if time.monotonic() > until:
                raise TimeoutError(f"{self.name} {failure}: {self.log_text()[-2000:]}")
            time.sleep(_POLL_S)
