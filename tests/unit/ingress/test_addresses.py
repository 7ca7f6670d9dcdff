"""Limits of addresses: what is refused unread, what is verified within the budget, and what always is. No Redis here."""

from collections.abc import Sequence

import pytest

from hookline_ingress.limits.addresses import GENUINE_S, MOST_ADDRESSES, AddressLimit, GenuineAddresses, network_of
from hookline_ingress.limits.rates import Rate
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.streams.genuine_addresses import Noted, SharedAddresses
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


@pytest.fixture
def addresses(clock: ManualClock) -> AddressLimit:
    return AddressLimit(RATE, clock, GenuineAddresses(clock))


def flood(addresses: AddressLimit, address: str = ADDRESS, spent_s: float = DEAR_S) -> None:
    for _ in range(2 * RATE.burst):
        addresses.refused(address, spent_s)


async def test_flooding_address_is_blocked_for_a_while(addresses: AddressLimit, clock: ManualClock) -> None:
    """An address that only sends what does not verify is turned away, until its bucket is empty."""
    assert not addresses.blocks(ADDRESS, signed=False)
    flood(addresses)
    assert addresses.blocks(ADDRESS, signed=False)
    assert addresses.blocks(ADDRESS, signed=True)
    assert not addresses.blocks(OTHER, signed=False)
    await clock.advance(2 * RATE.burst / RATE.per_second)
    assert not addresses.blocks(ADDRESS, signed=False)


async def test_flood_of_unsigned_requests_does_not_lock_twilio_out(addresses: AddressLimit) -> None:
    """Whoever shares Twilio's address and sends what has no signature costs nothing of the time to verify what has one."""
    flood(addresses, spent_s=0.000_01)
    assert addresses.blocks(ADDRESS, signed=False)
    assert not addresses.blocks(ADDRESS, signed=True)
    addresses.verified(ADDRESS)
    flood(addresses)
    assert not addresses.blocks(ADDRESS, signed=True)
    assert addresses.blocks(ADDRESS, signed=False)


async def test_budget_returns(addresses: AddressLimit, clock: ManualClock) -> None:
    """However dear forged signatures are to verify, some are verified every second, and a genuine one may be among them."""
    flood(addresses, spent_s=0.2)
    assert addresses.blocks(ADDRESS, signed=True)
    verified = 0
    for _ in range(300):
        if not addresses.blocks(ADDRESS, signed=True):
            verified += 1
            addresses.refused(ADDRESS, 0.02)
        await clock.advance(0.1)
    assert 250 <= verified <= 300, "20 ms of work every 100 ms is the share, once the flood is paid for"


async def test_address_that_verified_is_genuine_for_ten_minutes(addresses: AddressLimit, clock: ManualClock) -> None:
    """Twilio, or a proxy in front of us, is let in whatever else comes from there, for ten minutes at a time."""
    addresses.verified(ADDRESS)
    flood(addresses)
    assert not addresses.blocks(ADDRESS, signed=True)
    await clock.advance(GENUINE_S - 1)
    flood(addresses)
    assert not addresses.blocks(ADDRESS, signed=True)
    await clock.advance(1)
    flood(addresses)
    assert addresses.blocks(ADDRESS, signed=True)
    addresses.verified(ADDRESS)
    assert not addresses.blocks(ADDRESS, signed=True)


async def test_memory_of_addresses_is_bounded_and_keeps_those_in_use(addresses: AddressLimit) -> None:
    """However many addresses come, memory does not grow, and the one that Twilio keeps using stays known."""
    for number in range(30_000):
        if number % 1000 == 0:
            addresses.verified(ADDRESS)
        addresses.verified(f"verified {number}")
        addresses.refused(f"refused {number}")
    flood(addresses)
    assert not addresses.blocks(ADDRESS, signed=True)
    assert len(addresses.meters) == MOST_ADDRESSES


async def test_no_limit_and_no_address(clock: ManualClock) -> None:
    """A limit that is off blocks nobody, and requests without an address are not counted as those of one."""
    off = AddressLimit(Rate(0.0, 1), clock, GenuineAddresses(clock))
    flood(off)
    assert not off.blocks(ADDRESS, signed=False)
    addresses = AddressLimit(RATE, clock, GenuineAddresses(clock))
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


async def test_addresses_of_one_ipv6_network_are_one(addresses: AddressLimit) -> None:
    """A flood from ever new addresses of one network is a flood from one."""
    for number in range(2 * RATE.burst):
        addresses.refused(f"2001:db8::{number}", DEAR_S)
    assert addresses.blocks("2001:db8::ffff", signed=True)
    assert not addresses.blocks("2001:db8:0:1::1", signed=True)
    assert len(addresses.meters) == 1
