"""The file to which handlers append a line for each attempt, as a test reads it meanwhile."""

import json
from pathlib import Path
from typing import Any

from tests.support.processes.service_process import ServiceProcess
from tests.support.waiting import until

Line = dict[str, Any]


class Record:
    """The file that the handlers write, while it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def size(self) -> int:
        """How many bytes there are so far."""
        return self._path.stat().st_size if self._path.exists() else 0

    def lines(self, after: int = 0, word: str = "") -> list[Line]:
        """Return the lines after so many bytes in which `word` occurs; the others cost little.

        A line that is still being written, or whose writer was killed before its end, is none.
        """
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(after)
            whole, _, _ = file.read().rpartition(b"\n")
        return [json.loads(line) for line in whole.splitlines() if word.encode() in line and line.endswith(b"}")]

    async def ends(self, sid: str, member: ServiceProcess, *, after: int = 0) -> None:
        """Wait until an attempt of message or call `sid` comes to its end in `member`."""
        end = ("end", member.pid)
        await until(lambda: end in {(line["what"], line["pid"]) for line in self.lines(after, sid)}, f"{sid} ends")

    async def begins(self, sid: str, *, after: int = 0, besides: int = 0) -> int:
        """Wait until an attempt of message or call `sid` begins in another process than `besides`; return that process."""

        def find() -> int | None:
            begun = (line["pid"] for line in self.lines(after, sid) if line["what"] == "begin")
            return next((pid for pid in begun if pid != besides), None)

        pid = await until(find, f"{sid} begins")
        assert pid is not None
        return pid
