"""How much of each topic one partition holds in memory. Pure of I/O."""

import asyncio
from collections.abc import Iterable
from typing import Final

_IDS: Final = 8
"""How many entries are known for each that is in memory, at most: conversations with many events hold most of them as ids."""


class Window:
    """The entries known, topic by topic: of each `size` in memory and eight times as many by their ids, at most.

    A topic is open for reading while half of its window is free, so that reads come in batches worth their round trip. That
    half is thereby reserved for what a read brings.
    """

    def __init__(self, topics: Iterable[str], size: int) -> None:
        self._known: dict[str, set[str]] = {topic: set() for topic in topics}
        self._loaded = dict.fromkeys(self._known, 0)
        self._batch = max(1, size // 2)
        self._size = size
        self._opened = asyncio.Event()

    @property
    def batch(self) -> int:
        """How many entries of each open topic may be read at once."""
        return self._batch

    def open_topics(self) -> list[str]:
        """Return the topics that have room for a batch. `wait_opened` waits for another one from here on."""
        self._opened.clear()
        return [topic for topic in self._known if self._is_open(topic)]

    def known(self, topic: str) -> int:
        """How many entries of `topic` are known."""
        return len(self._known[topic])

    def admit(self, topic: str, entry_id: str) -> bool:
        """Know the entry; False if it is known already."""
        known = self._known[topic]
        if entry_id in known:
            return False
        known.add(entry_id)
        return True

    def load(self, topic: str, entries: int = 1) -> None:
        """Count entries that were admitted and are in memory now."""
        self._loaded[topic] += entries

    def release(self, topic: str, entry_id: str) -> None:
        """Let go of a settled entry, which was in memory."""
        was_open = self._is_open(topic)
        self._known[topic].remove(entry_id)
        self._loaded[topic] -= 1
        if not was_open and self._is_open(topic):
            self._opened.set()

    async def wait_opened(self) -> None:
        """Wait until a topic is open that was not when `open_topics` was asked."""
        await self._opened.wait()

    def _is_open(self, topic: str) -> bool:
        most = self._size - self._batch
        return self._loaded[topic] <= most and len(self._known[topic]) <= _IDS * self._size - self._batch
