"""Tunnel programs of the user: they give a port of this machine a public URL."""

import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from hookline_shared.errors import HooklineError

_START_S: Final = 30.0
_STOP_S: Final = 5.0
_LAST_LINES: Final = 5


class TunnelError(HooklineError):
    """There is no tunnel."""


class TunnelProgram(NamedTuple):
    """A program: its name, its arguments for a port, and how it writes its public URL."""

    name: str
    arguments: Callable[[int], Sequence[str]]
    url: re.Pattern[str]


PROGRAMS: Final = (
    TunnelProgram(
        "cloudflared",
        lambda port: ("tunnel", "--no-autoupdate", "--url", f"http://127.0.0.1:{port}"),
        re.compile(r"https://[a-z0-9-]+\.trycloudflare\.com"),
    ),
    TunnelProgram(
        "ngrok",
        lambda port: ("http", str(port), "--log", "stdout", "--log-format", "logfmt"),
        re.compile(r"(?<=\burl=)https://[A-Za-z0-9.-]+"),
    ),
)


def find_program(name: str | None) -> TunnelProgram | None:
    """Return the tunnel program `name`, or without a name the first that is installed; None if there is none.

    Raises:
        TunnelError: if the one with the name is not known or not installed.

    """
    for program in PROGRAMS:
        if name in (None, program.name) and shutil.which(program.name):
            return program
    if name is None:
        return None
    known = ", ".join(program.name for program in PROGRAMS)
    raise TunnelError(f"{name} is not installed, or no tunnel program that is known here ({known}).")


@contextmanager
def tunnel(program: TunnelProgram, port: int) -> Iterator[str]:
    """Run `program` for `port` in the `with` block; yield its public URL.

    Raises:
        TunnelError: if it ends, or does not say its URL.

    """
    command = [program.name, *program.arguments(port)]
    process = subprocess.Popen(  # noqa: S603 - one of `PROGRAMS`, in a session of its own: Ctrl-C is for the services first
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    output = _Output(program, process)
    try:
        yield output.url()
    finally:
        _stop(process)
        output.close()


class _Output:
    """What a program writes. A thread reads it to its end, or the program would wait for a reader."""

    def __init__(self, program: TunnelProgram, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        self._program = program
        self._pipe = process.stdout
        self._found = ""
        self._lines: list[str] = []
        self._known = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True, name="tunnel")
        self._reader.start()

    def url(self) -> str:
        """Wait until the program says its public URL."""
        self._known.wait(_START_S)
        if not self._found:
            last = " | ".join(self._lines) or "(none)"
            raise TunnelError(f"{self._program.name} does not say its public URL. Its last lines: {last}")
        return self._found

    def close(self) -> None:
        """Read the rest. A process that the program left behind may hold the pipe open."""
        self._reader.join(_STOP_S)
        if not self._reader.is_alive():
            self._pipe.close()

    def _read(self) -> None:
        for line in self._pipe:
            if not self._found and (url := self._program.url.search(line)):
                self._found = url[0]
                self._known.set()
            self._lines = [*self._lines[1 - _LAST_LINES :], line.strip()]
        self._known.set()


def _stop(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
