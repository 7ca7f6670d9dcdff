"""Limits of addresses: what is refused unread, what is verified within the budget, and what always is. No Redis here."""

from collections.abc import Sequence

import pytest

from hookline_ingress.limits.addresses import GENUINE_S, MOST_ADDRESSES, SMALL, AddressLimit, GenuineAddresses, network_of
from hookline_ingress.limits.rates import Rate
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.streams.limits.genuine_addresses import Noted, SharedAddresses
from tests.support.time.manual_clock import ManualClock

RATE = Rate(1.0, 3)
ADDRESS, OTHER = "192.0.2.1", "192.0.2.2"
DEAR_S = 1.0
"""Seconds of work that use up the budget for a while."""


class FakeShared(SharedAddresses):
    """Redis, as the ingress processes of one test share it."""

    def __init__(self) -> None:
        self.problem: BrokerUnavailableError | None = None
        self.calls = 0
        self.noted: dict[str, int] = {}

    async def exchange(self, since_ms: int, digests: Sequence[str]) -> Noted | BrokerUnavailableError:
        """Note `digests`, each call at a time of its own."""
        self.calls += 1
        if self.problem:
            return self.problem
        self.noted |= dict.fromkeys(digests, self.calls)
        return Noted(self.calls, [digest for digest, at in self.noted.items() if at >= since_ms])


class Limits(AddressLimit):
    """Address limits, with the processor time that requests take in the test's hands."""

    def __init__(self, clock: ManualClock, rate: Rate = RATE) -> None:
        self.cpu_s = 0.0
        super().__init__(rate, clock, GenuineAddresses(clock), lambda: self.cpu_s)

    def try_forged(self, address: str = ADDRESS, spent_s: float = DEAR_S, size: int = 1000, *, signed: bool = True) -> bool:
        """Have a forged request decided about; return whether it was verified, which took `spent_s` seconds of work."""
        if self.blocks(address, size, signed=signed):
            return False
        self.cpu_s += spent_s
        self.refused(address)
        return True


@pytest.fixture
def addresses(clock: ManualClock) -> Limits:
    return Limits(clock)


def flood(addresses: Limits, address: str = ADDRESS, spent_s: float = DEAR_S, size: int = 1000, *, signed: bool = True) -> None:
    for _ in range(100):
        addresses.try_forged(address, spent_s, size, signed=signed)


async def test_flooding_address_is_blocked_for_a_while(addresses: Limits, clock: ManualClock) -> None:
    """An address that only sends what does not verify is turned away, until its bucket is empty."""
    assert not addresses.blocks(ADDRESS, signed=False)
    flood(addresses)
    assert addresses.blocks(ADDRESS, signed=False)
    assert addresses.blocks(ADDRESS, signed=True)
    assert not addresses.blocks(OTHER, signed=False)
    await clock.advance(2 * RATE.burst / RATE.per_second)
    assert not addresses.blocks(ADDRESS, signed=False)


async def test_flood_of_unsigned_requests_does_not_lock_twilio_out(addresses: Limits) -> None:
    """Whoever shares Twilio's address and sends what has no signature costs nothing of the time to verify what has one."""
    flood(addresses, signed=False)
    assert addresses.blocks(ADDRESS, signed=False)
    assert not addresses.blocks(ADDRESS, signed=True)


async def test_large_forgeries_leave_small_webhooks_their_budget(addresses: Limits) -> None:
    """Whoever sends the dearest forgeries uses up what other large requests may take, and nothing that Twilio needs."""
    flood(addresses, size=SMALL + 1)
    assert addresses.blocks(ADDRESS, SMALL + 1, signed=True)
    assert not addresses.blocks(ADDRESS, SMALL, signed=True)


@pytest.mark.parametrize(("is_genuine", "share"), [(False, 0.2), (True, 0.5)])
async def test_budget_returns(addresses: Limits, clock: ManualClock, share: float, *, is_genuine: bool) -> None:
    """However dear forged signatures are to verify, they take their share of a core, of which a genuine address has more."""
    if is_genuine:
        addresses.accepted(ADDRESS)
    flood(addresses, spent_s=0.2)
    assert addresses.blocks(ADDRESS, signed=True)
    verified = 0
    for _ in range(300):
        while addresses.try_forged(spent_s=0.02):
            verified += 1
        await clock.advance(0.1)
    assert 0.9 * share < verified * 0.02 / 30 < 1.1 * share


async def test_work_of_others_is_not_charged(addresses: Limits) -> None:
    """What the thread did before a request, or for one that verified, is not counted as that of forged ones."""
    flood(addresses, spent_s=0.0)
    for _ in range(10):
        addresses.cpu_s += DEAR_S
        assert not addresses.blocks(ADDRESS, signed=True)
        addresses.cpu_s += DEAR_S
        addresses.accepted(ADDRESS)
    assert addresses.try_forged()


async def test_time_until_redis_answers_is_not_charged(addresses: Limits) -> None:
    """A copy of a webhook is refused after others were verified: their work is not its own, so it uses up no budget."""
    flood(addresses, spent_s=0.0)
    for _ in range(10):
        assert not addresses.blocks(ADDRESS, signed=True)
        addresses.cpu_s += DEAR_S
        addresses.reused(ADDRESS)
    assert addresses.try_forged()


async def test_address_is_genuine_for_a_day(addresses: Limits, clock: ManualClock) -> None:
    """Twilio, or a proxy in front of us, has the budget of genuine addresses, for a day at a time."""
    addresses.accepted(ADDRESS)
    flood(addresses)
    assert addresses.blocks(ADDRESS, signed=True)
    flood(addresses, OTHER, spent_s=0.0)
    assert not addresses.blocks(OTHER, signed=True), "the other budget is full"
    await clock.advance(GENUINE_S - 1)
    flood(addresses, OTHER)
    assert addresses.blocks(OTHER, signed=True)
    flood(addresses, spent_s=0.0)
    assert not addresses.blocks(ADDRESS, signed=True)
    await clock.advance(1)
    flood(addresses, OTHER)
    flood(addresses, spent_s=0.0)
    assert addresses.blocks(ADDRESS, signed=True)


async def test_memory_of_addresses_is_bounded_and_keeps_those_in_use(addresses: Limits) -> None:
    """However many addresses come, memory does not grow, and the one that Twilio keeps using stays known."""
    for number in range(30_000):
        if number % 1000 == 0:
            addresses.accepted(ADDRESS)
        addresses.accepted(f"accepted {number}")
        addresses.refused(f"refused {number}")
    flood(addresses, OTHER)
    flood(addresses, spent_s=0.0)
    assert not addresses.blocks(ADDRESS, signed=True)
    assert MOST_ADDRESSES // 2 <= len(addresses.meters) <= MOST_ADDRESSES


async def test_memory_of_what_others_tell_is_bounded(clock: ManualClock) -> None:
    """However many addresses other processes tell of, the newest are kept."""
    shared = FakeShared()
    genuine = GenuineAddresses(clock, shared)
    for number in range(4):
        other = GenuineAddresses(clock, shared)
        for host in range(MOST_ADDRESSES // 2):
            other.note(f"{number} {host}")
        await other.exchange()
        await genuine.exchange()
        await clock.advance(10)
    assert len(genuine._known) == MOST_ADDRESSES
    assert not genuine.knows("0 0")
    assert genuine.knows("2 0")
    assert genuine.knows("3 0")


async def test_digests_are_keyed(clock: ManualClock) -> None:
    """Who reads Redis and has no token cannot try all addresses of IPv4 to find those that the digests mean."""
    digests = []
    for key in ("token", "token", "other", "x" * 1000):
        shared = FakeShared()
        genuine = GenuineAddresses(clock, shared, key)
        genuine.note(ADDRESS)
        await genuine.exchange()
        digests += list(shared.noted)
    assert digests[0] == digests[1]
    assert len({*digests}) == 3
    assert {len(digest) for digest in digests} == {32}


async def test_no_limit_and_no_address(clock: ManualClock) -> None:
    """A limit that is off blocks nobody, and requests without an address are not counted as those of one."""
    off = Limits(clock, Rate(0.0, 1))
    flood(off)
    assert not off.blocks(ADDRESS, signed=False)
    addresses = Limits(clock)
    flood(addresses, "")
    assert not addresses.blocks("", signed=False)
    assert len(off.meters) == len(addresses.meters) == 0


async def test_genuine_address_is_known_to_all_processes(clock: ManualClock) -> None:
    """What one process has verified, others learn with their next exchange, one that starts later with its first."""
    shared = FakeShared()
    one, other = GenuineAddresses(clock, shared), GenuineAddresses(clock, shared)
    await other.exchange()
    one.note(ADDRESS)
    await one.exchange()
    assert not other.knows(ADDRESS)
    await clock.advance(10)
    await other.exchange()
    started_later = GenuineAddresses(clock, shared)
    await started_later.exchange()
    assert other.knows(ADDRESS)
    assert started_later.knows(ADDRESS)
    assert not started_later.knows(OTHER)
    await clock.advance(GENUINE_S)
    assert not started_later.knows(ADDRESS)


async def test_exchange_is_cheap(clock: ManualClock) -> None:
    """A thousand webhooks from one address are told once, and Redis is asked every few seconds only."""
    shared = FakeShared()
    genuine = GenuineAddresses(clock, shared)
    for _ in range(1000):
        genuine.note(ADDRESS)
        await genuine.exchange()
        await clock.advance(0.01)
    assert shared.calls <= 3
    assert list(shared.noted.values()) == [1]
    await clock.advance(60)
    genuine.note(ADDRESS)
    await genuine.exchange()
    assert list(shared.noted.values()) == [shared.calls], "it is told again while it is in use"


async def test_what_redis_did_not_take_is_told_again(clock: ManualClock) -> None:
    """An exchange that failed is repeated at once, with what it should have told."""
    shared = FakeShared()
    genuine = GenuineAddresses(clock, shared)
    genuine.note(ADDRESS)
    shared.problem = BrokerUnavailableError("away")
    assert await genuine.exchange() == [shared.problem]
    shared.problem = None
    await genuine.exchange()
    assert len(shared.noted) == 1


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::1", "::"),
        ("", ""),
        ("no:address", "no:address"),
    ],
)
def test_network(address: str, network: str) -> None:
    """A host owns 2^64 IPv6 addresses, and one of IPv4."""
    assert network_of(address) == network


async def test_addresses_of_one_ipv6_network_are_one(addresses: Limits) -> None:
    """A flood from ever new addresses of one network is a flood from one."""
    for number in range(4 * RATE.burst):
        addresses.try_forged(f"2001:db8::{number}")
    assert addresses.blocks("2001:db8::ffff", signed=True)
    assert not addresses.blocks("2001:db8:0:1::1", signed=True)
    assert len(addresses.meters) == 2, "one of the network, one of its site"


async def test_networks_of_one_ipv6_site_are_one(addresses: Limits) -> None:
    """A flood from ever new networks of one site, whose meters evict each other, is a flood from one."""
    for number in range(10_000):
        addresses.try_forged(f"2001:db8:0:{number:x}::1")
    assert addresses.blocks("2001:db8:0:ffff::1", signed=True)
    assert addresses.blocks("2001:db8:0:ffff::1", signed=False)
    assert not addresses.blocks("2001:db8:1::1", signed=True)
