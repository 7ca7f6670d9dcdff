"""Writing to a file descriptor without blocking and without raising.

A log line that cannot be written must not stop the work that it reports. Each write is tried at once, without waiting, so that
what was logged before a crash is written. What the reader has no room for waits in a bounded queue, which a thread empties.
Lines that do not fit, or that the system refuses to write (a closed pipe, a full disk), are dropped and counted. The next line
that can be written is preceded by one that says how many were dropped.

No other process is affected: whether a write waits is a property of the open file, which a terminal or pipe shares with other
processes, so pipes and terminals are opened a second time. Only a regular file is written with an ordinary write, which the
kernel buffers.
"""

import os
import select
import socket
import stat
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple
from weakref import WeakSet, finalize

from hookline_shared.observability.metrics import LOG_LINES_DROPPED

_MAX_WAITING_BYTES: Final = 1024 * 1024
_POLL_S: Final = 1.0
_PAUSE_S: Final = 0.01
"""Between two attempts, for a file that seems to have room and takes nothing."""
_ATOMIC_BYTES: Final = select.PIPE_BUF
"""A pipe that has room takes at least so many bytes without waiting."""

_Send = Callable[[bytes], int]
"""Writes to a file without waiting; returns the number of bytes written. Raises BlockingIOError if there is no room."""


class _Chunk(NamedTuple):
    """What is written in one piece. `lines` are dropped with it; those of a report were counted before."""

    data: bytes
    lines: int
    counted: bool = False


def plain_report(dropped: int) -> str:
    """Return the line that says how many lines were dropped, as long as no style of log lines is configured."""
    return f"{dropped} log lines were dropped"


class Output:
    """Writes to the file descriptor `fd`, and drops what cannot be written. Used by any thread, and in forked processes."""

    def __init__(self, fd: int, encoding: str = "utf-8") -> None:
        self.report: Callable[[int], str] = plain_report
        self._fd = fd
        self._encoding = encoding
        self._send = _sender(fd, self)
        self._waiting: deque[_Chunk] = deque()
        self._waiting_bytes = 0
        self._unreported = 0
        self._torn = False
        self._lock = threading.RLock()  # a line may be written by the garbage collector, in the middle of another
        self._drainer: threading.Thread | None = None
        OUTPUTS.add(self)

    @property
    def dropped(self) -> int:
        """The number of lines that were dropped and not reported yet."""
        return self._unreported

    def write_line(self, line: str) -> None:
        """Write `line`. Never wait, never raise."""
        self.write(f"{line}\n".encode(self._encoding, "backslashreplace"))

    def write(self, data: bytes) -> None:
        """Write `data`, which may have several lines or a part of one. Never wait, never raise."""
        lines = max(1, data.count(b"\n"))
        with self._lock:
            if self._waiting_bytes + len(data) > _MAX_WAITING_BYTES and self._waiting:
                self._drop(_Chunk(data, lines))
                return
            waited = bool(self._waiting)
            if not waited:
                self._queue_report()
            self._queue(_Chunk(data, lines))
            if not waited and not self._send_waiting():
                self._start_drainer()

    def flush(self, timeout_s: float) -> None:
        """Wait until nothing is waiting, for at most `timeout_s` seconds."""
        deadline = time.monotonic() + timeout_s
        while not self._drain_once() and (left_s := deadline - time.monotonic()) > 0:
            self._wait_for_room(left_s)

    def forget_waiting(self) -> None:
        """Begin anew in a forked process: what waits is the parent's to write, and a lock may be that of another thread."""
        self._lock = threading.RLock()
        self._drainer = None
        self._waiting.clear()
        self._waiting_bytes = self._unreported = 0
        self._torn = False

    def _queue(self, chunk: _Chunk) -> None:
        self._waiting.append(chunk)
        self._waiting_bytes += len(chunk.data)

    def _queue_report(self) -> None:
        """Queue the line that says how many lines were dropped, if any were."""
        dropped, self._unreported = self._unreported, 0
        if dropped:
            line = f"{self.report(dropped)}\n".encode(self._encoding, "backslashreplace")
            self._queue(_Chunk(b"\n" + line if self._torn else line, dropped, counted=True))
            self._torn = False

    def _drop(self, chunk: _Chunk) -> None:
        self._unreported += chunk.lines
        if not chunk.counted:
            LOG_LINES_DROPPED.count_many(chunk.lines)

    def _send_waiting(self) -> bool:
        """Write what waits. Return whether nothing waits any longer: all is written, or dropped because of an error."""
        try:
            while self._waiting:
                chunk = self._waiting[0]
                self._sent(chunk, self._send(chunk.data))
        except BlockingIOError:
            return False
        except (OSError, ValueError):
            self._drop_waiting()
        return True

    def _sent(self, chunk: _Chunk, sent: int) -> None:
        self._torn = sent < len(chunk.data)
        self._waiting_bytes -= sent
        if self._torn:
            self._waiting[0] = chunk._replace(data=chunk.data[sent:])
        else:
            self._waiting.popleft()

    def _drop_waiting(self) -> None:
        while self._waiting:
            self._drop(self._waiting.popleft())
        self._waiting_bytes = 0

    def _start_drainer(self) -> None:
        if self._drainer is not None:
            return
        try:
            self._drainer = threading.Thread(target=self._drain, name="log writer", daemon=True)
            self._drainer.start()
        except RuntimeError:  # the interpreter is ending, and flushes
            self._drainer = None

    def _drain(self) -> None:
        while True:
            with self._lock:
                if self._drain_once():
                    self._drainer = None
                    return
            self._wait_for_room(_POLL_S)

    def _drain_once(self) -> bool:
        """Write what waits, and how many lines were dropped. Return whether nothing waits any longer."""
        with self._lock:
            if not self._send_waiting():
                return False
            self._queue_report()
            return self._send_waiting()

    def _wait_for_room(self, timeout_s: float) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        poll.poll(timeout_s * 1000)
        time.sleep(_PAUSE_S)


OUTPUTS: Final[WeakSet[Output]] = WeakSet()
"""All outputs of this process."""


def _sender(fd: int, owner: Output) -> _Send:
    """Return a function that writes to `fd` without waiting. What it opens is closed with `owner`."""
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISREG(mode):
            return partial(os.write, fd)
        if stat.S_ISSOCK(mode):
            return _socket_sender(fd, owner)
        opened = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # it belongs to another user, or this is not Linux
        return partial(_write_if_ready, fd)
    finalize(owner, os.close, opened).atexit = False
    return partial(os.write, opened)


def _socket_sender(fd: int, owner: Output) -> _Send:
    duplicate = socket.socket(fileno=os.dup(fd))
    finalize(owner, duplicate.close).atexit = False
    return lambda data: duplicate.send(data, socket.MSG_DONTWAIT)


def _write_if_ready(fd: int, data: bytes) -> int:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    if not poll.poll(0):
        raise BlockingIOError
    return os.write(fd, data[:_ATOMIC_BYTES])
