"""The `hookline` command as a process."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec
from typer.testing import CliRunner

from hookline_cli.main import app
from hookline_shared.errors import HooklineError
from tests.support.waiting import PATIENCE_S

_ROOT = Path(__file__).parents[3]
_PATH = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))


class Result(NamedTuple):
    """The exit code and the output."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The JSON output."""
        return msgspec.json.decode(self.out)


class Command:
    """Runs `hookline` in `folder`, against the Redis at `redis_url`. In a process of its own, it has `settings`, too."""

    def __init__(self, folder: Path, redis_url: str, settings: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._redis_url = redis_url
        self._environment = {"PATH": os.environ["PATH"], "PYTHONPATH": _PATH, "REDIS_URL": redis_url, "HOME": str(folder)}
        self._environment |= settings or {}

    def run(self, *words: str) -> Result:
        """Run the command to its end, without a terminal and in this process: starting one takes longer than most run."""
        try:
            found = CliRunner().invoke(app, words, env={"REDIS_URL": self._redis_url}, catch_exceptions=False)
        except HooklineError as error:
            return Result(1, "", f"hookline: {error}\n")
        return Result(found.exit_code, found.stdout, found.stderr)

    @contextmanager
    def started(self, *words: str) -> Iterator["subprocess.Popen[str]"]:
        """Yield the running process; it is killed at the end if it still runs."""
        process = subprocess.Popen(
            [sys.executable, "-c", "from hookline_cli.start import main; main()", *words],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                _close(stream)


def ended(process: "subprocess.Popen[str]") -> Result:
    """Wait until `process` ends."""
    out, err = process.communicate(timeout=PATIENCE_S)
    return Result(process.returncode, out, err)


async def run(command: Command, *words: str) -> Result:
    """Run the command in a process of its own, as an operator does."""

    def wait() -> Result:
        with command.started(*words) as process:
            return ended(process)

    result = await asyncio.to_thread(wait)
    assert result.code == 0, result
    return result


def interrupt(process: "subprocess.Popen[str]") -> Result:
    """Send SIGINT, and wait for the end."""
    process.send_signal(signal.SIGINT)
    return ended(process)


def _close(stream: IO[str] | None) -> None:
    if stream is not None:
        stream.close()
