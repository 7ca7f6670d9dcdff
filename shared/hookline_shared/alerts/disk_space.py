"""The free space on the disk of a file, read in a thread.

The file may be on a network volume. While that hangs, so does every call to it, and that must not block the event loop. So a
daemon thread makes the call, one at a time; it ends with the process, whether the call has returned or not.
"""

import shutil
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Final

_MIB: Final = 1 << 20
_EVERY: Final = 10
"""The disk is read at every tenth evaluation."""
_STALE: Final = 60
"""Evaluations after which a reading is too old to be used."""


class DiskSpace:
    """The measure of the free space on the disk of `file`, in MiB, under the subject `name`."""

    def __init__(self, name: str, file: Path) -> None:
        self._name = name
        self._folder = file.absolute().parent
        self._looks = 0
        self._asking: Thread | None = None
        self._answer: tuple[int, float] | None = None

    def __call__(self, _now: float) -> dict[str, float] | None:
        """Return the latest reading, None if there is none that is recent enough."""
        if self._looks % _EVERY == 0 and not (self._asking and self._asking.is_alive()):
            name = f"free space on the disk of the {self._name}"
            self._asking = Thread(target=self._ask, args=(self._looks,), name=name, daemon=True)
            self._asking.start()
        self._looks += 1
        answer = self._answer
        return {self._name: answer[1]} if answer and self._looks - answer[0] <= _STALE else None

    def _ask(self, look: int) -> None:
        with suppress(OSError):  # the owner of the file reports it
            self._answer = look, shutil.disk_usage(self._folder).free / _MIB
