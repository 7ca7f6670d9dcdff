"""Standard output and standard error that neither block nor raise, whoever writes to them: see `output.py`."""

import atexit
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from io import BufferedWriter, RawIOBase, TextIOWrapper
from typing import Any, Final, Protocol, TextIO

from hookline_shared.observability.metrics import LOG_LINES_DROPPED
from hookline_shared.observability.output import OUTPUTS, Output, plain_report

FLUSH_TIMEOUT_S: Final = 1.0
"""How long a process that ends waits for a slow reader."""


class LineWriter(Protocol):
    """Takes the lines of the log. `report` makes the line that says how many were dropped."""

    report: Callable[[int], str]

    def write_line(self, line: str) -> None:
        """Write `line`. Never wait, never raise."""
        ...


class _Raw(RawIOBase):
    """The lowest layer of a text stream that writes to `output`."""

    def __init__(self, fd: int, output: Output) -> None:
        self._fd = fd
        self.output = output

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self._fd)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        written = bytes(data)
        self.output.write(written)
        return len(written)


def protect_output() -> None:
    """Replace `sys.stdout` and `sys.stderr` by streams that neither block nor raise, whatever the process prints."""
    if isinstance(_raw_of(sys.stderr), _Raw):
        return
    for fd, name in ((1, "stdout"), (2, "stderr")):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            _open_null_device(fd)
        else:
            _flush_safely(stream)
        setattr(sys, name, _stream(stream.fileno() if stream else fd, stream.encoding if stream else "utf-8"))


def flush_output() -> None:
    """Write what waits, before the process ends, for at most `FLUSH_TIMEOUT_S`. Never raise."""
    deadline = time.monotonic() + FLUSH_TIMEOUT_S
    for stream in (sys.stdout, sys.stderr):
        _flush_safely(stream)
    for output in list(OUTPUTS):
        output.flush(max(0.0, deadline - time.monotonic()))


def line_writer(stream: TextIO) -> LineWriter:
    """Return a writer of log lines to `stream`, a text stream such as `sys.stderr`."""
    raw = _raw_of(stream)
    if isinstance(raw, _Raw):
        return raw.output
    try:
        return _output(stream.fileno(), stream.encoding)
    except (AttributeError, OSError, ValueError):
        return _StreamWriter(stream)


class _StreamWriter:
    """Writes lines to a stream that is not a file of the system, such as one that collects them."""

    def __init__(self, stream: TextIO) -> None:
        self.report: Callable[[int], str] = plain_report
        self._stream = stream

    def write_line(self, line: str) -> None:
        """Write `line`. Never raise."""
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except (OSError, ValueError):
            LOG_LINES_DROPPED.count_many(1)


def _raw_of(stream: object) -> object:
    return getattr(getattr(stream, "buffer", None), "raw", None)


def _stream(fd: int, encoding: str) -> TextIOWrapper:
    return TextIOWrapper(BufferedWriter(_Raw(fd, _output(fd, encoding))), encoding, "backslashreplace", line_buffering=True)


def _output(fd: int, encoding: str | None) -> Output:
    _follow_the_process()
    return Output(fd, encoding or "utf-8")


@cache
def _follow_the_process() -> None:
    """Once: flush when the process ends, and begin anew where it is forked."""
    atexit.register(flush_output)
    os.register_at_fork(after_in_child=_begin_anew)


def _open_null_device(fd: int) -> None:
    """Open the null device as `fd`, which is closed: otherwise the next socket would get its number, and the log with it."""
    opened = os.open(os.devnull, os.O_WRONLY)
    if opened != fd:
        os.dup2(opened, fd)
        os.close(opened)


def _flush_safely(stream: object) -> None:
    with suppress(OSError, ValueError):
        stream.flush()  # type: ignore[attr-defined]


def _begin_anew() -> None:
    for output in OUTPUTS:
        output.forget_waiting()
