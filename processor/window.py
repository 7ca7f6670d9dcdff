"""How much of each topic one partition holds in memory. Pure of I/O."""

import asyncio
from collections.abc import Sequence


class Window:
    """The entry ids held, topic by topic, at most `size` of each.

    A topic is open for reading while at least half of its window is free, so that reads come in batches worth their round trip.
    """

    def __init__(self, topics: Sequence[str], size: int) -> None:
        self._held: dict[str, set[str]] = {topic: set() for topic in topics}
        self._batch = max(1, size // 2)
        self._size = size
        self._room = asyncio.Event()

    @property
    def batch(self) -> int:
        """How many entries of each open topic may be read at once."""
        return self._batch

    def open_topics(self) -> list[str]:
        """Give the topics that have room for a batch."""
        return [topic for topic, held in self._held.items() if len(held) + self._batch <= self._size]

    def admit(self, topic: str, entry_id: str) -> bool:
        """Hold the entry; False if it is held already."""
        held = self._held[topic]
        if entry_id in held:
            return False
        held.add(entry_id)
        return True

    def release(self, topic: str, entry_id: str) -> None:
        """Let go of a settled entry."""
        self._held[topic].discard(entry_id)
        self._room.set()

    async def wait_room(self) -> None:
        """Wait until some topic is open."""
        while not self.open_topics():
            self._room.clear()
            await self._room.wait()
