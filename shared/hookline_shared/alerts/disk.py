"""The room on the disk of a file, asked for where it may take as long as it likes.

The file may lie on a volume of the network. While that hangs, so does whoever asks it anything, and that must not be the event
loop. So a thread asks, now and then, and at most one: it ends with the process, whether it ever had an answer or not.
"""

import shutil
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Final

_MIB: Final = 1 << 20
_EVERY: Final = 10
"""Looks from one question to the next."""
_STALE: Final = 60
"""Looks until an answer says nothing any more."""


class Disk:
    """The measure of the room on the disk of `file`, in MiB, as disk `name`."""

    def __init__(self, name: str, file: Path) -> None:
        self._name = name
        self._folder = file.absolute().parent
        self._looks = 0
        self._asking: Thread | None = None
        self._answer: tuple[int, float] | None = None

    def __call__(self, _now: float) -> dict[str, float] | None:
        """Give the latest answer, None if there is none that is young enough."""
        if self._looks % _EVERY == 0 and not (self._asking and self._asking.is_alive()):
            name = f"room on the disk of the {self._name}"
            self._asking = Thread(target=self._ask, args=(self._looks,), name=name, daemon=True)
            self._asking.start()
        self._looks += 1
        answer = self._answer
        return {self._name: answer[1]} if answer and self._looks - answer[0] <= _STALE else None

    def _ask(self, look: int) -> None:
        with suppress(OSError):  # whoever needs the file says so
            self._answer = look, shutil.disk_usage(self._folder).free / _MIB
