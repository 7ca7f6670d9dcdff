"""Limits on the entries of each topic that one partition keeps in memory. No I/O."""

import asyncio
from collections.abc import Iterable
from typing import Final

_IDS_PER_LOADED: Final = 8
"""The limit of ids, as a multiple of the limit of events in memory: long lanes keep most of their entries as ids."""


class Window:
    """The entries of each topic that were read and not settled: at most `size` in memory, and eight times as many ids.

    A topic is open for reading while half of its window is free. That keeps batches large enough for their round trip, and
    reserves room for all entries of a read.
    """

    def __init__(self, topics: Iterable[str], size: int) -> None:
        self._ids: dict[str, set[str]] = {topic: set() for topic in topics}
        self._loaded = dict.fromkeys(self._ids, 0)
        self._batch = max(1, size // 2)
        self._size = size
        self._opened = asyncio.Event()

    @property
    def batch(self) -> int:
        """The number of entries that may be read at once from each open topic."""
        return self._batch

    def open_topics(self) -> list[str]:
        """Return the topics that have room for a batch. `wait_opened` then waits for other topics."""
        self._opened.clear()
        return [topic for topic in self._ids if self._is_open(topic)]

    def count(self, topic: str) -> int:
        """Return the number of entries of `topic` in the window."""
        return len(self._ids[topic])

    def admit(self, topic: str, entry_id: str) -> bool:
        """Add the entry to the window. Return False if it is already there."""
        count = self._ids[topic]
        if entry_id in count:
            return False
        count.add(entry_id)
        return True

    def count_loaded(self, topic: str, entries: int = 1) -> None:
        """Count `entries` admitted entries as loaded into memory."""
        self._loaded[topic] += entries

    def release(self, topic: str, entry_id: str) -> None:
        """Remove a settled entry, which was in memory."""
        was_open = self._is_open(topic)
        self._ids[topic].remove(entry_id)
        self._loaded[topic] -= 1
        if not was_open and self._is_open(topic):
            self._opened.set()

    async def wait_opened(self) -> None:
        """Wait until a topic opens that was closed at the last call of `open_topics`."""
        await self._opened.wait()

    def _is_open(self, topic: str) -> bool:
        most_loaded = self._size - self._batch
        return self._loaded[topic] <= most_loaded and len(self._ids[topic]) <= _IDS_PER_LOADED * self._size - self._batch
