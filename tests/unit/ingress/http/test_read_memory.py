"""What all connections together may hold of requests that have not arrived as a whole."""

from dataclasses import dataclass, field

import pytest

from hookline_ingress.http.read_memory import ReadMemory
from tests.support.time.manual_clock import ManualClock

LIMIT = 1000


@dataclass(eq=False)
class Holding:
    """A connection that holds `held` bytes since `since`, as `memory` knows."""

    memory: ReadMemory
    since: float = 0.0
    held: int = 0
    given_up: int = 0
    order: list["Holding"] = field(default_factory=list)

    def hold(self, held: int) -> None:
        change, self.held = held - self.held, held
        self.memory.change(change)

    def give_up(self) -> None:
        self.given_up += 1
        self.order.append(self)
        self.hold(0)


class Connections:
    """Connections whose memory is limited. `order` are those that gave up, `told` is how often that was told."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.all: list[Holding] = []
        self.order: list[Holding] = []
        self.told = 0
        self.listed = 0
        self.memory = ReadMemory(LIMIT, self._holders, clock, self._tell)

    def _holders(self) -> list[Holding]:
        self.listed += 1
        return self.all

    def _tell(self) -> None:
        self.told += 1

    def new(self, held: int) -> Holding:
        made = Holding(self.memory, self.clock.monotonic(), order=self.order)
        self.all.append(made)
        made.hold(held)
        return made


@pytest.fixture
def connections(clock: ManualClock) -> Connections:
    """Return no connections yet."""
    return Connections(clock)


async def test_nothing_is_given_up_below_the_limit(connections: Connections) -> None:
    """What arrives as a whole in the end is not counted any more, and nobody is asked about it."""
    for _ in range(100):
        one = connections.new(LIMIT // 2)
        one.hold(LIMIT)
        one.hold(0)
    assert (connections.memory.held, connections.told, connections.listed) == (0, 0, 0)


async def test_who_holds_most_for_longest_gives_up_first(connections: Connections, clock: ManualClock) -> None:
    """A flood loses what it holds; what is small, or has just come, stays."""
    old_and_large, old_and_small = connections.new(400), connections.new(20)
    await clock.advance(3)
    large = connections.new(500)
    await clock.advance(0.1)
    young = connections.new(300)
    assert connections.order == [old_and_large]
    young.hold(490)
    assert connections.order == [old_and_large, large]
    assert (old_and_small.held, young.held, connections.memory.held) == (20, 490, 510)
    assert connections.told == 2


async def test_newest_gives_up_if_it_is_the_largest(connections: Connections) -> None:
    """One that is larger than all others together does not cost them theirs."""
    small = [connections.new(10) for _ in range(20)]
    large = connections.new(900)
    assert connections.order == [large]
    assert not any(one.given_up for one in small)


async def test_limit_holds_in_a_flood(connections: Connections, clock: ManualClock) -> None:
    """Whoever comes, in whatever pieces, the sum stays below the limit, and the connections are seldom put in order."""
    for number in range(2000):
        connections.new(1 + number % 7).hold(8)
        assert connections.memory.held == sum(one.held for one in connections.all) <= LIMIT
        await clock.advance(0.01)
    assert len(connections.order) == 2000 - LIMIT // 8
    assert connections.listed < len(connections.order) / 5


async def test_next_request_of_a_connection_is_another_one(connections: Connections, clock: ManualClock) -> None:
    """A connection that was about to give up and got its request whole does not lose the next one for that."""
    first, second = connections.new(400), connections.new(390)
    await clock.advance(1)
    connections.new(380)  # both are put in order, and the first gives up
    assert connections.order == [first]
    second.hold(0)
    second.since = clock.monotonic()
    second.hold(10)
    third = connections.new(640)
    assert second.given_up == 0
    assert third.held + second.held <= LIMIT


async def test_nobody_holds_anything(connections: Connections) -> None:
    """What nobody can give up stops nobody."""
    connections.memory.change(LIMIT + 1)
    assert connections.order == []
