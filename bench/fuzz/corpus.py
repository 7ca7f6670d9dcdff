"""The corpus: cases that had the server answer in a way that no case before them had. One base64 text a line."""

from base64 import b64decode, b64encode
from pathlib import Path
from typing import Final

from bench.fuzz.cases import Case
from bench.fuzz.delivery import Answered

_LARGEST: Final = 1500
"""Bytes of a case that is kept; a larger one says nothing that a smaller one could not."""
_MOST: Final = 300


class Corpus:
    """The corpus in `file`. `cases` are those that were there at the start."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.cases = [b64decode(line) for line in file.read_text().split()] if file.exists() else []
        self._seen: set[object] = set()
        self._added: list[bytes] = []

    def consider(self, case: Case, answered: Answered) -> None:
        """Keep `case` if its answers are new for what was changed in it."""
        behaviour = (case.changes, tuple(answered.statuses[:3]))
        data = b"".join(case.packets)
        if len(case.changes.split("+")) > 1 or behaviour in self._seen or len(data) > _LARGEST:
            return
        self._seen.add(behaviour)
        if data not in self.cases and len(self.cases) + len(self._added) < _MOST:
            self._added.append(data)

    def save(self) -> int:
        """Write what is new behind what was there; return how many cases that is."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a") as file:
            file.writelines(b64encode(data).decode() + "\n" for data in self._added)
        return len(self._added)
