"""Read the record of the jobs. Pure, except for the file.

begun 17 1764053100.123456
done 17 1764053100.151234
"""

from collections import Counter
from pathlib import Path

import msgspec


class Told(msgspec.Struct, frozen=True):
    """How often each job was done, how many lines there are, and the Unix time of the last one that tells of a job done."""

    done: Counter[int]
    lines: int
    last_done: float


def read(file: Path) -> Told:
    """Read the record; there may be none yet."""
    lines = file.read_text().split("\n")[:-1] if file.exists() else []  # what follows the last line end is still being written
    done = [(int(number), float(at)) for what, number, at in map(str.split, lines) if what == "done"]
    return Told(Counter(number for number, _ in done), len(lines), max((at for _, at in done), default=0.0))
