"""Processors share partitions over a Redis whose clock is set forward and back: one owner at a time."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

import pytest

from hookline_processor.ownership.ownership import Ownership, Times
from hookline_shared.clock import SystemClock
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.streams.limits.rate_limits import SharedLimits, Usage
from hookline_shared.streams.ownership.lease import Fence, Lease, LeaseRequest, Leases
from hookline_shared.streams.ownership.membership import leases, members
from tests.integration.conftest import Connect
from tests.support.observability.logbook import Logbook
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS
from tests.support.time.settable_clock import SettableClock

LEASE_S: Final = 2.0
HOURS: Final = 2 * 3600


@pytest.fixture(scope="module")
def clock_of_server(tmp_path_factory: pytest.TempPathFactory) -> SettableClock:
    return SettableClock(tmp_path_factory.mktemp("clock"))


@pytest.fixture
def server(clock_of_server: SettableClock) -> Iterator[RedisServer]:
    clock_of_server.set_ahead(0)
    with RedisServer(environment=clock_of_server.environment) as server:
        yield server


@dataclass(eq=False)
class _Partition:
    """Stands in for a partition: it only knows until when its owner may trust its lease."""

    number: int
    fence: Fence
    trusted_until: float = -inf
    ended: bool = False

    async def start(self, _supervisor: Supervisor, *, owned_before: bool) -> None:
        pass

    def trust(self, until: float) -> None:
        self.trusted_until = max(self.trusted_until, until)

    def check(self) -> str | None:
        return None

    async def drain(self, _within_s: float) -> None:
        self.ended = True

    async def abandon(self) -> None:
        self.ended = True

    def hurry(self, within_s: float) -> None:
        pass


@dataclass(eq=False)
class Member:
    """A processor reduced to its ownership. One that is cut off keeps its trust, and asks for nothing."""

    name: str
    ownership: Ownership
    partitions: list[_Partition] = field(default_factory=list)
    silent: bool = False

    def trusts(self) -> set[int]:
        now = time.monotonic()
        return {one.number for one in self.partitions if not one.ended and one.trusted_until > now}


class Group:
    """Several members; `turn` lets each that is not silent do one pass, and checks that no partition has two owners."""

    def __init__(self, connect: Callable[[], Any], supervisor: Supervisor) -> None:
        self.members: list[Member] = []
        self._connect = connect
        self._supervisor = supervisor

    def join(self) -> Member:
        name = f"web-1:{len(self.members)}:x"
        own: list[_Partition] = []

        def build(number: int, fence: Fence) -> Any:
            own.append(_Partition(number, fence))
            return own[-1]

        owner = Leases(self._connect(), name, LEASE_S, 5)
        ownership = Ownership(owner, PARTITIONS, build, Times(LEASE_S, 1, 1), SystemClock(), Logbook().logger)
        ownership._supervisor = self._supervisor
        self.members.append(Member(name, ownership, own))
        return self.members[-1]

    async def turn(self) -> None:
        for member in self.members:
            if not member.silent:
                await member.ownership.pass_once()
            self.check()
        await asyncio.sleep(LEASE_S / 40)

    def check(self) -> None:
        trusted = [number for member in self.members for number in member.trusts()]
        assert len(trusted) == len(set(trusted)), "two owners trust their lease of one partition"

    async def until(self, condition: Callable[[], bool], within_s: float) -> float:
        """Take turns until `condition()`; return how many seconds that took, at most `within_s`."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < within_s, "it takes too long"
            await self.turn()
        return time.monotonic() - began

    async def run(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await self.turn()


@pytest.fixture
async def group(server: RedisServer, connect: Connect) -> AsyncIterator[Group]:
    supervisor = Supervisor(Logbook().logger)

    def link() -> Any:
        return connect(server.url)

    yield Group(link, supervisor)
    await supervisor.close()


def owns_all(*members: Member) -> Callable[[], bool]:
    return lambda: set[int]().union(*(member.trusts() for member in members)) == set(range(PARTITIONS))


async def test_lease_of_a_clock_that_was_ahead(group: Group, clock_of_server: SettableClock) -> None:
    """The clock was two hours ahead, all processors are killed, the clock is right again: others own all within two leases."""
    clock_of_server.set_ahead(HOURS)
    first, second = group.join(), group.join()
    await group.until(owns_all(first, second), 30)
    first.silent = second.silent = True
    clock_of_server.set_ahead(0)
    third = group.join()
    await group.until(owns_all(third), 3 * LEASE_S + 5)


@pytest.mark.parametrize("step_s", [HOURS, -HOURS, 365 * 86400])
async def test_step_changes_no_owner(group: Group, clock_of_server: SettableClock, step_s: int) -> None:
    """While all processors work, a step of the server's clock moves no partition."""
    first, second = group.join(), group.join()
    await group.until(lambda: owns_all(first, second)() and len(first.trusts()) == len(second.trusts()), 30)
    before = first.trusts(), second.trusts()
    clock_of_server.set_ahead(step_s)
    await group.run(1.5 * LEASE_S)
    assert (first.trusts(), second.trusts()) == before


async def test_owner_that_is_cut_off_at_a_step(group: Group, clock_of_server: SettableClock) -> None:
    """The clock is set forward, so the lease expires, while its owner cannot reach Redis and trusts it: nobody takes it."""
    first, second = group.join(), group.join()
    await group.until(lambda: owns_all(first, second)() and len(first.trusts()) == len(second.trusts()), 30)
    await group.run(LEASE_S)
    await first.ownership.pass_once()
    first.silent = True
    clock_of_server.set_ahead(HOURS)
    await group.until(owns_all(second), 3 * LEASE_S + 5)


async def test_newcomer_at_a_step(group: Group, clock_of_server: SettableClock) -> None:
    """Nor does a processor that starts right after the step, and has never seen the lease."""
    first = group.join()
    await group.until(owns_all(first), 30)
    await first.ownership.pass_once()
    first.silent = True
    clock_of_server.set_ahead(HOURS)
    second = group.join()
    await group.until(owns_all(second), 3 * LEASE_S + 5)


async def test_heartbeat_in_the_future(
    group: Group, server: RedisServer, connect: Connect, clock_of_server: SettableClock
) -> None:
    """A processor that died before the clock was set back is no member a lease later, and never one for observers."""
    clock_of_server.set_ahead(HOURS)
    first, second = group.join(), group.join()
    await group.until(owns_all(first, second), 30)
    second.silent = True
    clock_of_server.set_ahead(0)
    assert await members(connect(server.url)) == []
    await group.turn()
    assert {member.name for member in await members(connect(server.url))} >= {first.name}
    await group.until(owns_all(first), 3 * LEASE_S + 5)
    assert [member.name for member in await members(connect(server.url))] == [first.name]


async def test_terms_rise_over_steps(server: RedisServer, connect: Connect, clock_of_server: SettableClock) -> None:
    """A term is higher than all before it, whatever the clock does, and than those that a failover lost."""
    owner = Leases(connect(server.url), "a", LEASE_S, 5)
    terms = []
    for ahead_s in (0, HOURS, -HOURS, 0, -HOURS):
        clock_of_server.set_ahead(ahead_s)
        terms.append((await acquired(owner, 0)).term)
    assert terms == sorted(set(terms))
    with server.client as client:
        client.flushall()
    assert (await acquired(owner, terms[-1])).term > terms[-1]


async def acquired(owner: Leases, known_term: int) -> Lease:
    (lease,) = (await owner.ask({0: (LeaseRequest.ACQUIRE, known_term)})).values()
    assert isinstance(lease, Lease)
    return lease


async def test_longer_lease_of_another_owner_is_kept(server: RedisServer, connect: Connect) -> None:
    """The limit is the length of the owner's lease, not of the asker's: settings may differ during a deployment."""
    redis = connect(server.url)
    await acquired(Leases(redis, "slow", 30, 5), 0)
    asker = Leases(redis, "quick", 2, 5)
    (found,) = (await asker.ask({0: (LeaseRequest.READ, 0)})).values()
    assert isinstance(found, Lease)
    assert 29_000 < found.left_ms <= 30_000


async def test_lease_of_an_older_version(server: RedisServer, connect: Connect) -> None:
    """It has no length of its own, so it is as long as a minute at most, even if an earlier owner recorded another one."""
    redis = connect(server.url)
    first = await acquired(Leases(redis, "new", LEASE_S, 5), 0)
    with server.client as client:
        client.hset(keys.lease(0), mapping={"owner": "old", "term": first.term + 1})
        client.xgroup_create(token := keys.token(0, "old", first.term + 1), "hookline", mkstream=True)
        client.pexpire(token, 30_000)
        (found, *_) = await leases(redis, 1)
        assert 29_000 < found.left_ms <= 30_000
        client.pexpire(token, HOURS * 1000)
        (found, *_) = await leases(redis, 1)
        assert found.left_ms == 60_000
        assert client.pttl(token) > 60_000, "an observer changes nothing"
        await Leases(redis, "new", LEASE_S, 5).ask({0: (LeaseRequest.READ, 0)})
        assert client.pttl(token) <= 60_000


async def test_rate_limit_over_a_step(server: RedisServer, connect: Connect, clock_of_server: SettableClock) -> None:
    """A level that was recorded by a clock that was ahead is not held against a sender once the clock is right."""
    limits = SharedLimits(connect(server.url), "sender", PARTITIONS)
    clock_of_server.set_ahead(HOURS)
    assert await limits.exchange([Usage("+15550001", 0.001, 20, 15)]) == [15]
    clock_of_server.set_ahead(0)
    (level,) = await limits.exchange([Usage("+15550001", 0.001, 20, 1)])
    assert level == 1
