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
    try:
        yield _url_of(program, process)
    finally:
        _stop(process)


def _url_of(program: TunnelProgram, process: "subprocess.Popen[str]") -> str:
    """Wait until the program writes its URL, and let a thread read what it writes after that."""
    found: list[str] = []
    lines: list[str] = []
    known = threading.Event()

    def read() -> None:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        for line in process.stdout:
            if not found and (url := program.url.search(line)):
                found.append(url[0])
                known.set()
            lines[:] = [*lines[1 - _LAST_LINES :], line.strip()]
        known.set()

    threading.Thread(target=read, daemon=True, name="tunnel").start()
    known.wait(_START_S)
    if not found:
        raise TunnelError(f"{program.name} does not say its public URL. Its last lines: {' | '.join(lines) or '(none)'}")
    return found[0]


def _stop(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
