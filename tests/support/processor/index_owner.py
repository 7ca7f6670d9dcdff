"""The owner of a partition as the waiting index sees it: what is in its memory, and what it asks for. A model."""

from dataclasses import dataclass, field
from typing import Final

from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import NEW, Consumer
from hookline_shared.streams.ownership.lease import Fence
from hookline_shared.streams.settlements import LeavingEntry, Settlements, WaitingLane
from hookline_shared.streams.waiting.index import (
    Deferral,
    DeferRequest,
    Loaded,
    LoadRequest,
    ResumeRequest,
    StoredEntry,
    WaitingIndex,
    lane_id,
)
from hookline_shared.topics import MESSAGES, STATUSES
from tests.support.processor.feed import PARTITION, PENDING, read

TOPICS: Final = (MESSAGES, STATUSES)
ORDERED: Final = (MESSAGES,)
FEW: Final = 3
"""How many events of a lane are in memory."""
_PLENTY: Final = 1 << 20
_LATEST: Final = 90
"""No lane waits until later."""
_LOADABLE: Final = (Deferral.NOT_INDEXED, Deferral.IS_FIRST, Deferral.BEFORE_INDEX)


@dataclass
class HeldLane:
    """A lane in memory: its entries, and which of them are indexed; the flags are those of the lanes of the processor."""

    topic: str
    id: str
    entries: list[str] = field(default_factory=list)
    listed: set[str] = field(default_factory=set)
    indexed: bool = False
    behind: bool = False

    @property
    def last(self) -> str:
        """The last indexed entry in memory."""
        return next((entry for entry in reversed(self.entries) if entry in self.listed), "")


class IndexOwner:
    """Does with one partition what a processor does, one step at a time. A `lost` reply is one that it asks for again."""

    def __init__(self, redis: RedisConnectionManager, fence: Fence, keys_by_entry: dict[str, str]) -> None:
        self.consumer = Consumer(redis, PARTITION, TOPICS, fence)
        self.index = WaitingIndex(redis, PARTITION, fence)
        self.lanes: dict[str, HeldLane] = {}
        self._key_of = keys_by_entry

    def in_memory(self, topic: str) -> list[str]:
        """Return the entries of a topic in memory."""
        return [entry for lane in self.lanes.values() if lane.topic == topic for entry in lane.entries]

    def name_of(self, topic: str, entry: str) -> str:
        """Return the lane of an entry."""
        return lane_id(topic, self._key_of[entry]) if topic in ORDERED else entry

    async def read(self, topic: str, count: int, *, lost: bool) -> None:
        """Read new entries."""
        entries = await read(self.consumer, NEW, topic, count)
        if lost:
            await self.recover()
            return
        for entry in entries:
            await self._admit(topic, entry.id, lost=False)

    async def recover(self) -> None:
        """Find what belongs into memory and is not there, as after a takeover or an error."""
        for topic in TOPICS:
            for entry in await read(self.consumer, PENDING, topic):
                if entry.id not in self.in_memory(topic):
                    await self._admit(topic, entry.id, lost=True)
            for name in await self.index.resumed(topic):
                if name not in self.lanes or not self.lanes[name].indexed:
                    await self.load(HeldLane(topic, name), 1, lost=False)

    async def settle(self, lane: HeldLane, *, lost: bool) -> None:
        """Settle the first event of a lane."""
        entry = lane.entries.pop(0)
        leaving = [LeavingEntry(lane.topic, lane.id, entry)] if entry in lane.listed else []
        await self._settle(Settlements(done={lane.topic: [entry]}, leaving=leaving), lost=lost)
        self._drop_if_empty(lane)

    async def wait(self, lane: HeldLane, number: int, condition: str, time: int, *, lost: bool) -> None:
        """Let a lane wait with its first `number` events; those after them, which came since, follow them.

        In an indexed lane none did, since all that came went to the index.
        """
        number = len(lane.entries) if lane.indexed else number
        waits, follow = lane.entries[:number], lane.entries[number:]
        await self._settle(Settlements(waiting=[WaitingLane(lane.topic, lane.id, condition, time, waits)]), lost=lost)
        if follow:
            requests = [DeferRequest(lane.topic, lane.id, entry, always=True) for entry in follow]
            for _ in range(1 + lost):
                assert set(await self.index.defer(requests)) == {Deferral.DEFERRED}
        del self.lanes[lane.id]

    async def resume(self, topic: str, condition: str, due: float, most: int, *, lost: bool) -> None:
        """Resume lanes that wait."""
        implausible = max(due, _LATEST)
        (answer,) = await self.index.resume([ResumeRequest(topic, condition, due, implausible, most)], _PLENTY)
        if lost:
            await self.recover()
            return
        for resumed in answer.lanes:
            assert resumed.lane not in self.lanes
            lane = self.lanes[resumed.lane] = HeldLane(topic, resumed.lane, indexed=True, behind=resumed.behind > 0)
            self._take(lane, resumed.first)

    async def load(self, lane: HeldLane, most: int, *, lost: bool) -> None:
        """Load the next events of a lane, which may not be in memory yet."""
        answer = Loaded(resumed=False, more=False, entries=[])
        for _ in range(1 + lost):
            (answer,) = await self.index.load([LoadRequest(lane.topic, lane.id, lane.last, most)], _PLENTY)
        assert len(answer.entries) <= most
        if answer.entries:
            lane = self.lanes.setdefault(lane.id, lane)
        for entry in answer.entries:
            self._take(lane, entry)
        lane.indexed, lane.behind = answer.resumed, answer.more
        self._drop_if_empty(lane)

    async def _admit(self, topic: str, entry: str, *, lost: bool) -> None:
        name = self.name_of(topic, entry)
        lane = self.lanes.get(name)
        if lane is not None and not lane.indexed and len(lane.entries) < FEW:
            lane.entries.append(entry)
            return
        request = DeferRequest(topic, name, entry, always=lane is not None and not lane.indexed)
        (result,) = await self.index.defer([request])
        if lost:
            assert await self.index.defer([request]) == [result]
        if result is Deferral.DEFERRED:
            assert lane is None
            return
        lane = self.lanes.setdefault(name, HeldLane(topic, name))
        if result is not Deferral.NOT_INDEXED:
            lane.indexed = lane.behind = True
        if result is Deferral.IS_FIRST:
            lane.listed.add(entry)
        if result in _LOADABLE:
            lane.entries.append(entry)

    async def _settle(self, settlements: Settlements, *, lost: bool) -> None:
        for _ in range(1 + lost):
            await self.consumer.settle(settlements)

    def _take(self, lane: HeldLane, entry: StoredEntry) -> None:
        if entry.id not in lane.entries:
            lane.entries.append(entry.id)
            lane.listed.add(entry.id)

    def _drop_if_empty(self, lane: HeldLane) -> None:
        if not lane.entries and not lane.behind:
            self.lanes.pop(lane.id, None)
