"""Where events go that were read: into memory, or behind the indexed events of their lanes, whatever Redis confirms."""

from collections.abc import Sequence

import pytest

from hookline_processor.in_flight import InFlightEvent
from hookline_processor.partition.intake import Intake
from hookline_processor.partition.lanes import MAX_LOADED, Lane, Lanes
from hookline_processor.partition.memory_limits import PayloadMemory, Room
from hookline_processor.partition.waiting.waiting_sets import WaitingSets
from hookline_processor.retry_record import recover
from hookline_processor.verdicts import Verdict
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import NEW, Consumer, Entry
from hookline_shared.streams.ownership.lease import Fence
from hookline_shared.streams.waiting.index import Deferral, DeferRequest, LoadRequest, WaitingIndex
from hookline_shared.topics import DEFAULT_TOPICS, MESSAGES
from tests.support.processor.feed import PARTITION, PENDING, Feed, claim, read


class LossyIndex(WaitingIndex):
    """The index, whose next confirmation is lost while `loses` is set."""

    loses = False

    async def defer(self, requests: Sequence[DeferRequest]) -> list[Deferral]:
        """Do as the index does."""
        results = await super().defer(requests)
        if self.loses:
            self.loses = False
            raise BrokerUnavailableError("no answer")
        return results


class Bench:
    """The intake of a partition in which nothing waits."""

    def __init__(self, broker: RedisConnectionManager, fence: Fence) -> None:
        self.consumer = Consumer(broker, PARTITION, DEFAULT_TOPICS, fence)
        self.index = LossyIndex(broker, PARTITION, fence)
        self.requested: list[Lane] = []
        self.lanes = Lanes({MESSAGES}, 100, lambda _lane: None, self.requested.append)
        self.sets = WaitingSets(DEFAULT_TOPICS)
        self._room = Room(DEFAULT_TOPICS, 100, PayloadMemory(1 << 20))
        self._intake = Intake(self.index, self.lanes, self._room, self.sets, self._settle)
        self._feed = Feed(broker)

    async def read(self, number: int) -> list[str]:
        """Put new events into the partition, and take them in; return their entry ids."""
        await self._feed.put(number)
        entries = await read(self.consumer, NEW)
        await self._intake.admit(MESSAGES, [(entry, None) for entry in entries])
        return [entry.id for entry in entries]

    async def read_pending(self) -> None:
        """Take in what is pending, as after an error."""
        entries: list[Entry] = await read(self.consumer, PENDING)
        await self._intake.admit(MESSAGES, [(entry, recover(None)) for entry in entries])

    def settle(self, lane: Lane) -> None:
        """Let go of the first event of a lane, which is done."""
        self._room.release(lane.topic, lane.events[0].entry_id)
        self.lanes.settled(lane)

    async def stored(self, lane: Lane) -> list[str]:
        """Return the events of a lane that are in Redis."""
        (loaded,) = await self.index.load([LoadRequest(lane.topic, lane.id, "", 100)], 1 << 20)
        return [entry.id for entry in loaded.entries]

    def _settle(self, in_flight: InFlightEvent, verdict: Verdict) -> None:
        raise AssertionError(f"{in_flight} is settled unattempted: {verdict}")


@pytest.fixture
async def bench(broker: RedisConnectionManager) -> Bench:
    """Return an intake, and a full lane."""
    bench = Bench(broker, await claim(broker))
    await bench.consumer.ensure_groups()
    await bench.read(MAX_LOADED)
    return bench


async def test_what_a_lane_has_no_room_for_is_in_redis(bench: Bench) -> None:
    """Also what comes when there is room again: it goes behind."""
    (lane,) = bench.lanes.all()
    entries = await bench.read(2)
    bench.settle(lane)
    entries += await bench.read(1)
    assert len(lane.events) == MAX_LOADED - 1
    assert await bench.stored(lane) == entries


@pytest.mark.parametrize("number", [1, 3])
async def test_lost_confirmation_changes_no_order(bench: Bench, number: int) -> None:
    """Events that may be in Redis already are not overtaken by those that are read next, and are loaded."""
    (lane,) = bench.lanes.all()
    bench.index.loses = True
    with pytest.raises(BrokerUnavailableError):
        await bench.read(number)
    await bench.read_pending()
    for _ in range(MAX_LOADED // 2):
        bench.settle(lane)
    in_memory = [one.entry_id for one in lane.events]
    later = await bench.read(1)
    assert [one.entry_id for one in lane.events] == in_memory
    assert (await bench.stored(lane))[-1:] == later
    assert len(await bench.stored(lane)) == number + 1
    assert bench.requested == [lane]


async def test_refused_deferral_keeps_the_order(bench: Bench, broker: RedisConnectionManager) -> None:
    """Events of which Redis knows nothing are read again, and come into memory before later ones."""
    (lane,) = bench.lanes.all()
    in_memory = [one.entry_id for one in lane.events]
    key = broker.keys.lease(PARTITION)
    term = await broker.execute("hget", key, "HGET", key, "term")
    await broker.execute("hset", key, "HSET", key, "term", "0")
    with pytest.raises(BrokerUnavailableError):
        await bench.read(1)
    await broker.execute("hset", key, "HSET", key, "term", term)
    await bench.read_pending()
    await bench.read(1)
    events = [one.entry_id for one in lane.events] + await bench.stored(lane)
    assert events[: len(in_memory)] == in_memory
    assert events == sorted(events)
    assert len(events) == MAX_LOADED + 2
