"""The limits of memory: how many events of each topic one partition holds, and how many bytes one processor. No I/O.

Every event that was read takes room until Redis has confirmed that it is settled, or that it waits (`waiting_lanes.py`). So the
room is held by events that run, or may run as soon as they get a worker slot, and by a bounded number that come after one of
these.
"""

import asyncio
from collections.abc import Callable, Iterable

from hookline_shared.batch_size import READ_BYTES, BatchSize

__all__ = ["READ_BYTES", "PayloadMemory", "Room"]


class PayloadMemory:
    """The bytes of the events in memory, over all partitions of a processor; `limit` of them leave no room for more."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._rooms: set[Room] = set()

    @property
    def free(self) -> int:
        """The bytes that are free, 0 or more."""
        return max(0, self._limit - self._used)

    def share_with(self, room: "Room") -> None:
        """Notify `room` when memory becomes free, until `forget`."""
        self._rooms.add(room)

    def forget(self, room: "Room") -> None:
        """Do not notify `room` any more."""
        self._rooms.discard(room)

    def take(self, size: int) -> None:
        """Use `size` bytes."""
        self._used += size

    def give_back(self, size: int) -> None:
        """Stop using `size` bytes."""
        was_full = self._used >= self._limit
        self._used -= size
        if was_full and self._used < self._limit:
            for room in self._rooms:
                room.wake()


class _TopicRoom:
    """The events of one topic, by entry id, with their sizes; and the size of its reads, of `batch` entries at most."""

    __slots__ = ("batch_size", "sizes")

    def __init__(self, batch: int) -> None:
        self.sizes: dict[str, int] = {}
        self.batch_size = BatchSize(batch)


class Room:
    """The events of each topic in the memory of one partition: at most `size`, and as `memory` permits.

    A topic is open for reading while half of its room is free. That keeps batches large enough for their round trip, and leaves
    the rest to waiting lanes. A topic with no event in memory is always open, so a huge event cannot stop it.
    """

    def __init__(self, topics: Iterable[str], size: int, memory: PayloadMemory) -> None:
        self._batch = max(1, size // 2)
        self._topics = {topic: _TopicRoom(self._batch) for topic in topics}
        self._size = size
        self._memory = memory
        self._freed = asyncio.Event()
        self._listeners: list[Callable[[], None]] = [self._freed.set]
        memory.share_with(self)

    def on_freed(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever a topic opens."""
        self._listeners.append(listener)

    def open_topics(self) -> list[str]:
        """Return the topics that have room for a batch. `wait_freed` then waits for other topics."""
        self._freed.clear()
        return [topic for topic in self._topics if self._is_open(topic)]

    def count(self, topic: str) -> int:
        """Return the number of events of `topic` in memory."""
        return len(self._topics[topic].sizes)

    def free(self, topic: str) -> int:
        """Return how many more events of `topic` may be loaded, 0 or more."""
        count = self.count(topic)
        return max(0, self._size - count) if not count or self._memory.free else 0

    def holds(self, topic: str, entry_id: str) -> bool:
        """Whether the event is in memory."""
        return entry_id in self._topics[topic].sizes

    def reads(self, topics: Iterable[str]) -> dict[int, list[str]]:
        """Return the number of entries to read at once, and the topics to read so: usually one number for all of them."""
        reads: dict[int, list[str]] = {}
        for topic in topics:
            reads.setdefault(self._topics[topic].batch_size.count, []).append(topic)
        return reads

    def was_read(self, topic: str, count: int, size: int) -> None:
        """Note that a read returned `count` entries with `size` bytes in all."""
        self._topics[topic].batch_size.succeeded(count, size)

    def read_failed(self) -> None:
        """Make the next reads smaller: the answer may have been too large for its time limit."""
        for room in self._topics.values():
            room.batch_size.failed()

    def admit(self, topic: str, entry_id: str, size: int) -> bool:
        """Take room for an entry of `size` bytes. Return False if it is in memory already."""
        sizes = self._topics[topic].sizes
        if entry_id in sizes:
            return False
        sizes[entry_id] = size
        self._memory.take(size)
        return True

    def release(self, topic: str, entry_id: str) -> None:
        """Free the room of an entry, which is settled or waits."""
        sizes = self._topics[topic].sizes
        self._memory.give_back(sizes.pop(entry_id))  # which wakes all rooms if it ends that memory is full
        opens_at = self._size - self._batch if self._memory.free else 0
        if len(sizes) == opens_at:
            self.wake()

    def close(self) -> None:
        """Free the room of all entries."""
        self._memory.forget(self)
        for room in self._topics.values():
            self._memory.give_back(sum(room.sizes.values()))
            room.sizes.clear()

    def wake(self) -> None:
        """End `wait_freed`, and call the listeners."""
        for listener in self._listeners:
            listener()

    async def wait_freed(self) -> None:
        """Wait until a topic may have opened that was closed at the last call of `open_topics`."""
        await self._freed.wait()

    def _is_open(self, topic: str) -> bool:
        count = self.count(topic)
        return not count or (count <= self._size - self._batch and self._memory.free > 0)
