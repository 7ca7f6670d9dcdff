"""`hookline` on terminals, files and command lines of every sort: no traceback, whatever they do."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path

import pytest
import redis

from hookline_cli.output.exit_codes import INTERRUPTED, USAGE
from tests.support.servers.ports import free_port
from tests.support.storage.dead_letters import write_dead_letters
from tests.support.storage.stored import Stored
from tests.support.waiting import PATIENCE_S

_ROOT = Path(__file__).parents[3]
_HOOKLINE = "from hookline_cli.start import main; main()"
_AGAIN_S = 1.0
_INTERRUPTED_EARLY = (
    "import sys, signal\n"
    "class Finder:\n"
    "    def find_spec(self, name, *_):\n"
    "        if name == 'typer': signal.raise_signal(signal.SIGINT)\n"
    "sys.meta_path.insert(0, Finder())\n" + _HOOKLINE
)
"""Ctrl-C while the command is being imported."""


def hookline(
    folder: Path, *words: str | bytes, code: str = _HOOKLINE, end: str = "", **environment: str
) -> "subprocess.CompletedProcess[bytes]":
    """Run it; `end` is what a shell would put behind the command."""
    process = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {end}', "sh", sys.executable, "-c", code, *words],
        cwd=folder,
        env=_environment(folder, **environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert b"Traceback" not in process.stderr, process.stderr.decode()
    return process


def _environment(folder: Path, **more: str) -> Mapping[str, str]:
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(_ROOT), "HOME": str(folder)} | more


def test_closed_output(tmp_path: Path) -> None:
    """Without an output, a command does its work all the same."""
    assert hookline(tmp_path, "config", end=">&-").returncode == 2
    assert hookline(tmp_path, "config", "--markdown", end=">&- 2>&-").returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("words", [("config",), ("config", "--json")])
def test_output_to_a_full_disk(tmp_path: Path, words: tuple[str, ...]) -> None:
    """It is reported in one line."""
    ended = hookline(tmp_path, *words, end="> /dev/full")
    assert ended.returncode == 1
    assert ended.stderr == b"hookline: the output could not be written: No space left on device.\n"


def test_terminal_that_lacks_letters(tmp_path: Path) -> None:
    """What it cannot show comes as an escape."""
    ended = hookline(tmp_path, "doctor", PYTHONIOENCODING="latin-1", REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert ended.returncode == 1
    assert rb"\u2192 Fix it; hookline config shows what is set" in ended.stdout


def test_argument_that_is_no_text(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 can be neither sent nor signed."""
    ended = hookline(tmp_path, "send", "message", "--body", b"caf\xe9")
    assert ended.returncode == USAGE
    assert ended.stderr == b"hookline: b'caf\\xe9' is not text in UTF-8.\n"


def test_interrupted_while_it_is_imported(tmp_path: Path) -> None:
    """Ctrl-C ends it in silence from the beginning."""
    ended = hookline(tmp_path, "config", code=_INTERRUPTED_EARLY)
    assert (ended.returncode, ended.stderr) == (INTERRUPTED, b"")


@pytest.mark.parametrize(("key", "code"), [(b"\x03", INTERRUPTED), (b"\x04", 1), (b"n\n", 1)], ids=["Ctrl-C", "Ctrl-D", "no"])
def test_question_that_is_not_answered_with_yes(
    key: bytes, code: int, tmp_path: Path, redis_url: str, redis_client: "redis.Redis", stored: Stored
) -> None:
    """Ctrl-C at a question ends the command at once, and nothing is done; so do Ctrl-D and no."""
    write_dead_letters(redis_client, 3)
    words = [sys.executable, "-c", _HOOKLINE, "dead", "discard", "--all", "--why", "a test"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execve(sys.executable, words, dict(_environment(tmp_path, REDIS_URL=redis_url, TERM="xterm")))
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(terminal, 4096)
    os.write(terminal, key)
    while more := _answered(terminal, key):
        shown += more
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code, shown
    assert b"Traceback" not in shown
    assert sum(len(stored.dead_letters(partition)) for partition in range(8)) == 3


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (50, 20)])
def test_status_fits_the_terminal(columns: int, rows: int, tmp_path: Path, redis_url: str, redis_client: "redis.Redis") -> None:
    """On a real terminal of this size, nothing has scrolled away, and the problems come right after the first line."""
    write_dead_letters(redis_client, 3)
    words = [sys.executable, "-c", _HOOKLINE, "status", "--admin", f"127.0.0.1:{free_port()}"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.execve(sys.executable, words, dict(_environment(tmp_path, REDIS_URL=redis_url, TERM="xterm", NO_COLOR="1")))
    lines = re.sub(r"\x1b\[[0-9;]*m", "", _everything(terminal).decode()).splitlines()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1, lines
    assert len(lines) <= rows - 2
    assert max(map(len, lines)) <= columns
    assert lines[0].startswith("Hookline  ")
    assert any(line.startswith("problem No Hookline service answers") for line in lines[1:3]), lines
    assert any(line.startswith("messages ") for line in lines)


def _everything(terminal: int) -> bytes:
    """Return all that is written to the terminal until its program ends."""
    found = b""
    try:
        while more := os.read(terminal, 4096):
            found += more
    except OSError:  # what Linux says at the end
        pass
    os.close(terminal)
    return found


def _answered(terminal: int, key: bytes) -> bytes:
    """Press `key` again while nothing is shown; give what is, nothing once the command has ended.

    Once may not be enough: a signal that comes just before the read from the terminal begins does not interrupt it.
    """
    try:
        while not select.select([terminal], [], [], _AGAIN_S)[0]:
            os.write(terminal, key)
        return os.read(terminal, 4096)
    except OSError:
        return b""
