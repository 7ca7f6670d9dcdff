"""Service processes that are forked from one that has imported everything, which takes a tenth of the time of a start.

How a service starts from nothing is proven by the tests of `hookline up`, of the user's folder, and of output that cannot be
written.
"""

import asyncio
import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple, Self

from tests.support.processes.fork_server import LENGTH_BYTES

_ROOT: Final = Path(__file__).parents[3]


class ForkedProcess:
    """A child of a fork server, with what a test wants of an `asyncio.subprocess.Process`."""

    def __init__(self, pid: int, stdout: "Pipe", stderr: "Pipe", ending: "Pipe") -> None:
        self.pid = pid
        self.stdout = stdout.reader
        self.stderr = stderr.reader
        self.pipes = [stdout.transport, stderr.transport]
        self.returncode: int | None = None
        self._end = asyncio.create_task(self._watch(ending))

    @classmethod
    async def start(cls, package: str, folder: Path, environment: Mapping[str, str], limit: int) -> Self:
        """Run `python -m package` in `folder`, in a fork; `limit` is the length of the longest line of its output in bytes."""
        pipes = [os.pipe() for _ in range(3)]
        request = json.dumps({"folder": str(folder), "environment": dict(environment)}).encode()
        requests = _server(package)
        socket.send_fds(requests, [len(request).to_bytes(LENGTH_BYTES, "big")], [write for _, write in pipes])
        requests.sendall(request)
        for _, write in pipes:
            os.close(write)
        ending, stdout, stderr = [await Pipe.reading(read, limit) for read, _ in pipes]
        return cls(int(await ending.reader.readline()), stdout, stderr, ending)

    async def wait(self) -> int:
        """Wait until it has ended; return the exit code."""
        return await asyncio.shield(self._end)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, if it has not ended."""
        with suppress(ProcessLookupError):
            if self.returncode is None:
                os.kill(self.pid, number)

    async def _watch(self, ending: "Pipe") -> int:
        self.returncode = int(await ending.reader.readline())
        ending.transport.close()
        return self.returncode


class Pipe(NamedTuple):
    """What reads a pipe; it closes by itself at the end of what is written there."""

    reader: asyncio.StreamReader
    transport: asyncio.ReadTransport

    @classmethod
    async def reading(cls, fd: int, limit: int) -> Self:
        """Return what reads the pipe `fd`, in lines of at most `limit` bytes."""
        reader = asyncio.StreamReader(limit)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(fd, "rb", 0))
        return cls(reader, transport)


@cache
def _server(package: str) -> socket.socket:
    """Return the connection to the fork server of `package`, which ends with this process."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.processes.fork_server", package, str(theirs.fileno())],
        cwd=_ROOT,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        stdin=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()

    @atexit.register
    def end() -> None:
        ours.close()
        process.wait()

    return ours
