"""The partition of an event, and partitions as text. Pure."""

from collections.abc import Iterable
from itertools import groupby
from zlib import crc32


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of ordering key `key`, from 0 to `partitions` - 1: crc32 of its UTF-8 bytes modulo the count."""
    return crc32(key.encode()) % partitions


def ranges(partitions: Iterable[int]) -> str:
    """Return `partitions` as ranges for people: 0-3, 7."""
    runs = [[number for _, number in run] for _, run in groupby(enumerate(sorted(partitions)), lambda pair: pair[1] - pair[0])]
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
