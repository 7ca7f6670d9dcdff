"""What a job does, alike in every peer: nothing but being counted, or being put on record and taking a while.

This runs inside the peers, in environments that have nothing of Hookline's: it needs the standard library alone. The
environment variable BENCH_RECORD tells which of the two it is, and BENCH_RAISING whether one job in ten raises at its first
attempt.
"""

import asyncio
import mmap
import os
import struct
import threading
import time
from pathlib import Path
from typing import Final

_ONE_IN: Final = 10
_LEAST_MS: Final = 10
_SPREAD_MS: Final = 41  # a prime, so that durations and failures do not go together


class Refused(Exception):
    """What a job raises at its first attempt, if it is one of those that do."""


class Tally:
    """How many jobs this process has done, in a file of its own in `directory`, which costs no system call to keep up."""

    def __init__(self, directory: Path) -> None:
        file = directory / str(os.getpid())
        file.write_bytes(bytes(8))
        with file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), 8)
        self._done = 0
        self._lock = threading.Lock()

    def add(self) -> None:
        """Count one more, from whichever thread."""
        with self._lock:
            self._done += 1
            struct.pack_into("<q", self._map, 0, self._done)


class Record:
    """One line per attempt in `file`, written at once, so that a killed worker's attempts stand there, too."""

    def __init__(self, file: Path, *, raising: bool) -> None:
        self._descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._raising = raising
        self._refused = file.with_name("refused")
        self._refused.mkdir(exist_ok=True)

    def begin(self, number: int) -> float:
        """Note an attempt; return how long the job takes, in seconds.

        Raises:
            Refused: if this is the first attempt of a job that raises.

        """
        self._write("begun", number)
        if self._raising and number % _ONE_IN == 0 and self._is_first(number):
            raise Refused(f"job {number} raises once")
        return (_LEAST_MS + number % _SPREAD_MS) / 1000

    def done(self, number: int) -> None:
        """Note that the job is done."""
        self._write("done", number)

    def _write(self, what: str, number: int) -> None:
        os.write(self._descriptor, f"{what} {number} {time.time():.6f}\n".encode())

    def _is_first(self, number: int) -> bool:
        try:
            (self._refused / str(number)).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


_RECORD: Final = (
    Record(Path(os.environ["BENCH_RECORD"]), raising="BENCH_RAISING" in os.environ) if "BENCH_RECORD" in os.environ else None
)
_starting: Final = threading.Lock()
_tally: Tally | None = None


def _count() -> None:
    """Count in the process that runs jobs, which some peers fork only after this module was imported."""
    global _tally  # noqa: PLW0603
    if _tally is None:
        with _starting:  # one for all threads
            _tally = _tally or Tally(Path(os.environ["BENCH_TALLY"]))
    _tally.add()


async def run(number: int) -> None:
    """Do job `number` in an event loop."""
    if _RECORD is None:
        _count()
        return
    await asyncio.sleep(_RECORD.begin(number))
    _RECORD.done(number)


def run_blocking(number: int) -> None:
    """Do job `number` in a thread or process."""
    if _RECORD is None:
        _count()
        return
    time.sleep(_RECORD.begin(number))
    _RECORD.done(number)
