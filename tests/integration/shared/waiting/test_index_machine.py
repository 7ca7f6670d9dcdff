"""Everything that can happen to waiting events, in sequences that nobody thought of."""

import asyncio
import os
from collections.abc import Coroutine, Iterator
from math import inf
from typing import Any, Final, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hookline_shared.errors import FencedError
from hookline_shared.redis.durability import Durability
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.redis.options import RedisOptions
from hookline_shared.streams.consume import CONSUMER, WAITING
from tests.support.observability.logbook import Logbook
from tests.support.processor.feed import PARTITION, claim
from tests.support.processor.index_owner import FEW, ORDERED, TOPICS, HeldLane, IndexOwner
from tests.support.processor.index_state import IndexState
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS
from tests.support.time.manual_clock import ManualClock

EXAMPLES: Final = int(os.environ.get("HOOKLINE_TEST_EXAMPLES", "0"))
KEYS: Final = ("a", "b")
CONDITIONS: Final = ("", "breaker:crm")
TIMES = st.sampled_from([0, 50, 99])
"""The last of them is impossible."""
LOST = st.booleans()
PICK = st.integers(0, 99)

Result = TypeVar("Result")


class IndexMachine(RuleBasedStateMachine):
    """One partition, whose owner changes now and then. Every unsettled event is in one place, and in order."""

    bench: "MachineBench"

    def __init__(self) -> None:
        super().__init__()
        self._client: Any = self.bench.client
        self._client.flushall()
        self._state = IndexState(self._client, PARTITION)
        self._key_of: dict[str, str] = {}
        self._arrived: dict[str, list[str]] = {topic: [] for topic in TOPICS}
        self._takeovers = 0

    @initialize()
    def start(self) -> None:
        """Own the partition."""
        self._owner = self._run(self._new_owner())

    @rule(topic=st.sampled_from(TOPICS), key=st.sampled_from(KEYS), number=st.integers(1, 9))
    def arrive(self, topic: str, key: str, number: int) -> None:
        """Events arrive."""
        for _ in range(number):
            entry = self._client.xadd(keys.topic(PARTITION, topic), {"key": key}).decode()
            self._key_of[entry] = key
            self._arrived[topic].append(entry)

    @rule(topic=st.sampled_from(TOPICS), count=st.integers(1, 9), lost=LOST)
    def read(self, topic: str, count: int, lost: bool) -> None:
        """Some of them are read."""
        self._run(self._owner.read(topic, count, lost=lost))

    @precondition(lambda self: self._runnable())
    @rule(pick=PICK, lost=LOST)
    def settle(self, pick: int, lost: bool) -> None:
        """The first event of a lane is done."""
        self._settle(self._pick(self._runnable(), pick), lost=lost)

    @precondition(lambda self: self._runnable())
    @rule(pick=PICK, number=st.integers(1, 9), condition=st.sampled_from(CONDITIONS), time=TIMES, lost=LOST)
    def wait(self, pick: int, number: int, condition: str, time: int, lost: bool) -> None:
        """A lane waits."""
        self._run(self._owner.wait(self._pick(self._runnable(), pick), number, condition, time, lost=lost))

    @rule(topic=st.sampled_from(TOPICS), condition=st.sampled_from(CONDITIONS), due=TIMES, most=st.integers(0, 2), lost=LOST)
    def resume(self, topic: str, condition: str, due: int, most: int, lost: bool) -> None:
        """Lanes are due."""
        self._run(self._owner.resume(topic, condition, due, most, lost=lost))

    @precondition(lambda self: self._behind())
    @rule(pick=PICK, most=st.integers(1, 9), lost=LOST)
    def load(self, pick: int, most: int, lost: bool) -> None:
        """A lane needs its next events."""
        self._run(self._owner.load(self._pick(self._behind(), pick), most, lost=lost))

    @rule()
    def take_over(self) -> None:
        """The owner dies, or is only believed to be dead; the next one finds everything."""
        former, self._owner = self._owner, self._run(self._new_owner())
        with pytest.raises(FencedError):
            self._run(former.resume(TOPICS[0], "", inf, 9, lost=False))
        self._run(self._owner.recover())

    @invariant()
    def each_event_is_in_one_place(self) -> None:
        """Its consumer tells which: the owner's memory, or the index alone."""
        for topic in TOPICS:
            consumers = self._state.consumers(topic)
            in_memory = self._owner.in_memory(topic) if hasattr(self, "_owner") else []
            assert sorted(in_memory) == sorted(entry for entry, name in consumers.items() if name == CONSUMER)
            assert set(consumers.values()) <= {CONSUMER, WAITING}
            for name in {self._owner.name_of(topic, entry) for entry in consumers}:
                self._check_lane(topic, name, consumers)

    def _check_lane(self, topic: str, name: str, consumers: dict[str, str]) -> None:
        unsettled = [
            entry for entry in self._arrived[topic] if entry in consumers and self._owner.name_of(topic, entry) == name
        ]
        lane = self._owner.lanes.get(name) or HeldLane(topic, name)
        listed = [entry for entry in dict.fromkeys(self._state.entries(topic, name)) if entry in consumers]
        if topic not in ORDERED and (name in lane.listed or name not in lane.entries):
            listed = [name]
        stored = [entry for entry in listed if entry not in lane.entries]
        assert lane.entries + stored == unsettled
        assert [entry for entry in lane.entries if entry in lane.listed] + stored == listed
        places = [condition for condition in CONDITIONS if name in self._state.waiting(topic, condition)]
        assert len(places) + (name in self._state.resumed(topic)) == bool(listed)
        if lane.entries or lane.behind:
            assert not places
        else:
            assert len(places) == 1
        assert lane.behind or lane.entries == unsettled or places

    def teardown(self) -> None:
        """Settle all that is left, in order, and find nothing of it."""
        if hasattr(self, "_owner"):
            self._drain()
            assert self._state.keys() == set()
            assert self._lengths() == [0] * len(TOPICS)

    def _lengths(self) -> list[int]:
        return [self._client.xlen(keys.topic(PARTITION, topic)) for topic in TOPICS]

    def _drain(self) -> None:
        while any(before := self._lengths()):
            for topic in TOPICS:
                self._run(self._owner.read(topic, 100, lost=False))
                for condition in CONDITIONS:
                    self._run(self._owner.resume(topic, condition, inf, 100, lost=False))
            for lane in self._behind():
                self._run(self._owner.load(lane, FEW, lost=False))
            for lane in self._runnable():
                self._settle(lane, lost=False)
            assert self._lengths() != before, "nothing goes on"
        for lane in self._behind():
            self._run(self._owner.load(lane, FEW, lost=False))

    def _settle(self, lane: HeldLane, *, lost: bool) -> None:
        self._run(self._owner.settle(lane, lost=lost))

    def _runnable(self) -> list[HeldLane]:
        return [lane for lane in self._owner.lanes.values() if lane.entries]

    def _behind(self) -> list[HeldLane]:
        return [lane for lane in self._owner.lanes.values() if lane.behind]

    def _pick(self, lanes: list[HeldLane], pick: int) -> HeldLane:
        return lanes[pick % len(lanes)]

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.bench.runner.run(work)

    async def _new_owner(self) -> IndexOwner:
        self._takeovers += 1
        fence = await claim(self.bench.redis, owner=f"owner{self._takeovers}", force=self._takeovers > 1)
        owner = IndexOwner(self.bench.redis, fence, self._key_of)
        await owner.consumer.ensure_groups()
        return owner


class MachineBench:
    """A server, and the connections of the owners: making new ones for each sequence would take most of the time."""

    def __init__(self, server: RedisServer) -> None:
        self.client = server.client
        self.runner = asyncio.Runner()
        self.redis = self.runner.run(self._connect(server))

    def close(self) -> None:
        self.runner.run(self.redis.close())
        self.runner.close()
        self.client.close()

    async def _connect(self, server: RedisServer) -> RedisConnectionManager:
        options = RedisOptions(url=server.url)
        return RedisConnectionManager(options, PARTITIONS, ManualClock(), Logbook().logger, Durability.MEMORY)


@pytest.fixture
def machine(redis_server: RedisServer) -> Iterator[type[IndexMachine]]:
    """Yield the machine, on a server."""
    bench = MachineBench(redis_server)
    yield type("IndexMachineOnServer", (IndexMachine,), {"bench": bench})
    bench.close()


def test_any_sequence_keeps_the_index_whole(machine: type[IndexMachine]) -> None:
    """Each unsettled event is in one place after every step, lanes are in order, and in the end nothing is left."""
    few = settings(max_examples=EXAMPLES or 40, stateful_step_count=40, derandomize=not EXAMPLES, database=None)
    run_state_machine_as_test(machine, settings=few)
