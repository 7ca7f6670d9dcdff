"""One partition, its owner, and what Redis has of its waiting index."""

from collections.abc import AsyncIterator, Callable
from math import inf

import pytest
import redis

from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import Consumer
from hookline_shared.streams.ownership.lease import Fence
from hookline_shared.streams.settlements import LeavingEntry, Settlements, SettleResult, WaitingLane
from hookline_shared.streams.waiting.index import (
    Deferral,
    DeferRequest,
    Loaded,
    LoadRequest,
    Resumed,
    ResumeRequest,
    WaitingIndex,
    lane_id,
)
from hookline_shared.topics import DEFAULT_TOPICS, MESSAGES
from tests.support.processor.events import key_of
from tests.support.processor.feed import PARTITION, Feed, claim, read
from tests.support.processor.index_state import IndexState

LANE = lane_id(MESSAGES, key_of(PARTITION))
BREAKER = "breaker:crm"
PLENTY = 1 << 20


class Bench:
    """One partition, its owner, and what Redis has of its index."""

    def __init__(self, broker: RedisConnectionManager, client: "redis.Redis", fence: Fence) -> None:
        self.consumer = Consumer(broker, PARTITION, DEFAULT_TOPICS, fence)
        self.index = WaitingIndex(broker, PARTITION, fence)
        self.state = IndexState(client, PARTITION)
        self._feed = Feed(broker)

    async def read(self, number: int, topic: str = MESSAGES) -> list[str]:
        """Put new events into `topic`, and read them; return their entry ids."""
        await self._feed.put(number, topic)
        return [entry.id for entry in await read(self.consumer, topic=topic)]

    async def wait(
        self, *entries: str, lane: str = LANE, time: int = 5, condition: str = "", topic: str = MESSAGES
    ) -> SettleResult:
        return await self.consumer.settle(Settlements(waiting=[WaitingLane(topic, lane, condition, time, entries)]))

    async def leave(self, entry: str, lane: str = LANE, topic: str = MESSAGES) -> None:
        """Settle an indexed entry as done."""
        await self.consumer.settle(Settlements(done={topic: [entry]}, leaving=[LeavingEntry(topic, lane, entry)]))

    async def resume(
        self, due: float = 5, *, most: int = 10, topic: str = MESSAGES, condition: str = "", implausible: float = inf
    ) -> Resumed:
        (answer,) = await self.index.resume([ResumeRequest(topic, condition, due, implausible, most)], PLENTY)
        return answer

    async def load(self, last: str = "", most: int = 10, lane: str = LANE, topic: str = MESSAGES) -> Loaded:
        (answer,) = await self.index.load([LoadRequest(topic, lane, last, most)], PLENTY)
        return answer

    async def defer(self, entry: str, *, always: bool = False, lane: str = LANE, topic: str = MESSAGES) -> Deferral:
        (answer,) = await self.index.defer([DeferRequest(topic, lane, entry, always)])
        return answer

    def of(self, consumer: str, topic: str = MESSAGES) -> list[str]:
        """Return the pending entries of a consumer."""
        return [entry for entry, name in self.state.consumers(topic).items() if name == consumer]


@pytest.fixture
async def bench(broker: RedisConnectionManager, redis_client: "redis.Redis") -> Bench:
    """Return an empty partition, and its owner."""
    bench = Bench(broker, redis_client, await claim(broker))
    await bench.consumer.ensure_groups()
    return bench


@pytest.fixture
async def successor(bench: Bench, broker: RedisConnectionManager, redis_client: "redis.Redis") -> Bench:
    """Return the owner after that of `bench`, which does not know."""
    return Bench(broker, redis_client, await claim(broker, owner="successor", force=True))


@pytest.fixture
async def without_memory(redis_client: "redis.Redis") -> AsyncIterator[Callable[[], object]]:
    """Yield a function after which the server has no memory left."""
    yield lambda: redis_client.config_set("maxmemory", "1")
    redis_client.config_set("maxmemory", "0")


def ids(entries: Loaded) -> list[str]:
    return [entry.id for entry in entries.entries]
