"""The child processes of the benchmark, which are stopped in every case.

Each runs in a session of its own, so that Ctrl-C reaches only the benchmark, which then stops them in order. Where the machine
has `setpriv`, the kernel kills them too should the benchmark itself be killed.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from bench.errors import ChildDiedError, TooSlowError
from bench.system.machine import pin, session

ROOT: Final = Path(__file__).parents[2]
_STOP_S: Final = 5.0
_READY_S: Final = 20.0
_POLL_S: Final = 0.005
_LOG_TAIL: Final = 2000
_OURS: Final = ("HOOKLINE_", "INGRESS_", "PROCESSOR_", "REDIS_", "DATABASE_", "TWILIO_", "PUBLIC_URL", "LOG_", "OTEL_")


class Child:
    """A running process. `name` is for messages; its output goes to `log`."""

    def __init__(self, name: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.name = name
        self.pid = process.pid
        self._process = process
        self._log = log
        self._started = time.perf_counter()

    def check(self) -> None:
        """Raise an error if the process has ended.

        Raises:
            ChildDiedError: if it does not.

        """
        code = self._process.poll()
        if code is not None:
            raise ChildDiedError(self.name, code, self.written())

    def wait_until(self, ready: Callable[[], bool]) -> float:
        """Poll `ready` until it is true; return the seconds since the process was started.

        Raises:
            ChildDiedError: if the process ends before.
            TooSlowError: if that takes longer than 20 s.

        """
        while not ready():
            self.check()
            if time.perf_counter() - self._started > _READY_S:
                raise TooSlowError(f"{self.name} did not get ready", _READY_S, self.written())
            time.sleep(_POLL_S)
        return time.perf_counter() - self._started

    def talk(self, said: bytes, timeout_s: float) -> bytes:
        """Write `said` to its standard input, wait for its end, and return its standard output.

        Raises:
            ChildDiedError: if it ended with an error.
            TooSlowError: if it did not end within `timeout_s` seconds.

        """
        try:
            answer, _ = self._process.communicate(said, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise TooSlowError(f"{self.name} did not end", timeout_s, self.written()) from None
        if self._process.returncode != 0:
            raise ChildDiedError(self.name, self._process.returncode, self.written())
        return answer

    def kill(self) -> None:
        """Kill the process and its children at once, as a crash of the machine would."""
        for member in session(self.pid):
            with suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Stop the process with SIGTERM; after 5 s or a second Ctrl-C, kill it and its children."""
        try:
            self._process.terminate()
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with suppress(ProcessLookupError, PermissionError):  # nobody left; macOS says the latter
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def written(self) -> str:
        """Return the end of its output."""
        return self._log.read_bytes()[-_LOG_TAIL:].decode(errors="replace").strip()


@contextmanager
def running(
    name: str,
    command: Sequence[str],
    directory: Path,
    core: int | None,
    settings: Mapping[str, str] | None = None,
    *,
    pipes: bool = False,
) -> Iterator[Child]:
    """Run `command` in `directory`, on `core`, within the context; `pipes` makes `Child.talk` possible."""
    pipe = subprocess.PIPE if pipes else None
    log = directory / f"{name}.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [*_deadly(), *command],
            cwd=directory,
            env=_environment(settings or {}),
            stdin=pipe or subprocess.DEVNULL,
            stdout=pipe or sink,
            stderr=sink,
            start_new_session=True,
        )
    child = Child(name, process, log)
    try:
        pin(child.pid, core)
        yield child
    finally:
        child.stop()


def module(name: str) -> list[str]:
    """Return the command that runs Python module `name`."""
    return [sys.executable, "-m", name]


def free_port() -> int:
    """Return a free TCP port on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _deadly() -> list[str]:
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the caller's environment without any setting of Hookline's, then `settings`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {**inherited, "PYTHONPATH": str(ROOT), **settings}
