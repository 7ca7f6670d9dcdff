"""The size of batches whose entries have unknown sizes, from a hundred bytes to some megabytes. Pure.

A batch that is bounded by its number of entries alone can be too large for memory, or for the time limit of its answer, and it
would be just as large when it is asked for again.
"""

from typing import Final

READ_BYTES: Final = 1 << 20
"""The bytes that one read should return: little enough for a slow connection."""
_FEWEST_BYTES: Final = 1 << 14
_FIRST: Final = 2


class BatchSize:
    """The number of entries for the next batch: as many as fit into `most_bytes` if they are like the last ones.

    It is `most` at most, starts with `first`, and is doubled at most, since the next entries may be larger. After a failure it
    starts again with one entry and half of the bytes, which then grow again: the batch may have been too large for its time
    limit.
    """

    def __init__(self, most: int, most_bytes: int = READ_BYTES, first: int = _FIRST) -> None:
        self.count = max(1, min(first, most))
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = most_bytes

    def succeeded(self, count: int, size: int) -> None:
        """Note that a batch had `count` entries with `size` bytes in all."""
        self._bytes = min(self._most_bytes, self._bytes + self._bytes // 16)
        fitting = self._bytes * count // size if size else self._most
        self.count = max(1, min(2 * self.count, fitting, self._most))

    def failed(self) -> None:
        """Note that there was no answer to a batch: it was too large, took too long, or the server is away."""
        self._bytes = max(_FEWEST_BYTES, self._bytes // 2)
        self.count = 1
