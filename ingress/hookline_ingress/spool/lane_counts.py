"""How many events of each conversation are in the spool, in a bounded amount of memory. Pure."""

from array import array
from typing import Final
from zlib import crc32

_LANES: Final = 1 << 16
_ZEROS: Final = bytes(_LANES * array("L").itemsize)


class LaneCounts:
    """Counts events by lane. A lane is a hash of topic and ordering key, so a few conversations share one."""

    def __init__(self) -> None:
        self._counts = array("L", _ZEROS)

    def __getitem__(self, lane: int) -> int:
        return self._counts[lane]

    def add(self, lane: int, events: int) -> None:
        """Count `events` more, or fewer if it is negative."""
        self._counts[lane] += events


def lane_of(topic: str, key: str) -> int:
    """Return the lane of a conversation."""
    return crc32(f"{topic} {key}".encode()) & (_LANES - 1)
