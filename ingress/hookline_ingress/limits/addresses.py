"""The limit of each address whose requests do not verify, and the addresses to which it does not apply.

Twilio and an attacker can have the same address: that of a proxy, of a NAT gateway, or of Docker's network. So a request that
carries a signature is not refused unread because of others from its address, unless its address has verified nothing lately and
the time for such requests is used up. A single request that verifies makes its address genuine, at all ingress processes.

    below its rate    each request is verified
    above it          one without a signature is refused; one with a signature is verified if the address is genuine,
                      or within the budget; otherwise it is refused unread

Which addresses are genuine is kept in Redis, too, so a process that starts learns it with its first exchange. Without Redis,
each process goes by what it has seen itself; after a restart, that is the budget.
"""

from collections import OrderedDict
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from math import inf
from typing import Final

from hookline_ingress.limits.budget import VerificationBudget
from hookline_ingress.limits.rates import Meters, Rate
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.streams.genuine_addresses import SharedAddresses
from hookline_shared.streams.rate_limits import Answers

MOST_ADDRESSES: Final = 4096
"""Addresses that are remembered, the most recently used ones."""
GENUINE_S: Final = 600.0
_NOTED_AGAIN_S: Final = 60.0
_EXCHANGE_INTERVAL_S: Final = 5.0
_HOST_BITS: Final = 64


class GenuineAddresses:
    """The addresses from which a request was verified lately, by this process or, as far as `shared` tells, by another one."""

    def __init__(self, clock: Clock, shared: SharedAddresses | None = None) -> None:
        self._clock = clock
        self._shared = shared
        self._noted: OrderedDict[str, float] = OrderedDict()
        self._known: dict[str, float] = {}
        self._due: set[str] = set()
        self._since_ms = 0
        self._next_at = 0.0

    def note(self, address: str) -> None:
        """Note that a request from `address` was verified. It is told to others once a minute."""
        noted, now = self._noted, self._clock.monotonic()
        if now - noted.get(address, -inf) >= _NOTED_AGAIN_S:
            noted[address] = now
            self._due.add(address)
        noted.move_to_end(address)
        if len(noted) > MOST_ADDRESSES:
            self._due.discard(noted.popitem(last=False)[0])

    def knows(self, address: str) -> bool:
        """Whether a request from `address` was verified lately."""
        now = self._clock.monotonic()
        return now - self._noted.get(address, -inf) < GENUINE_S or self._known.get(_digest(address), -inf) > now

    async def exchange(self) -> Answers:
        """Tell the others which addresses are genuine, and learn theirs, if it is time to; return the answer or the error."""
        if self._shared is None or self._clock.monotonic() < self._next_at:
            return []
        due = list(self._due)
        answer = await self._shared.exchange(self._since_ms, [_digest(address) for address in due])
        if isinstance(answer, BrokerUnavailableError):
            return [answer]
        self._due.difference_update(due)
        now = self._clock.monotonic()
        self._next_at, self._since_ms = now + _EXCHANGE_INTERVAL_S, answer.now_ms
        learnt = dict.fromkeys(answer.digests, now + GENUINE_S)
        self._known = {digest: until for digest, until in (self._known | learnt).items() if until > now}
        return [float(len(learnt))]


class AddressLimit:
    """Counts the requests of each address that do not verify. An IPv6 address counts as its network, which one host may own."""

    def __init__(self, rate: Rate, clock: Clock, genuine: GenuineAddresses) -> None:
        self._rate = rate
        self._clock = clock
        self._genuine = genuine
        self._budget = VerificationBudget()
        self.meters = Meters(MOST_ADDRESSES)

    def blocks(self, address: str, *, signed: bool) -> bool:
        """Whether a request from `address` is refused unread; `signed` is whether it carries a signature."""
        network = network_of(address)
        meter = self.meters.get(network)
        if meter is None or not meter.above:
            return False
        now = self._clock.monotonic()
        if meter.level(now) <= 0:
            return False
        return not signed or not (self._genuine.knows(network) or self._budget.allows(now))

    def refused(self, address: str, spent_s: float = 0.0) -> None:
        """Count a request from `address` that did not verify, which took `spent_s` seconds to find out."""
        if self._rate.per_second and address:
            now = self._clock.monotonic()
            if self.meters.take(network_of(address), self._rate, now):
                self._budget.charge(spent_s, now)

    def verified(self, address: str) -> None:
        """Note that a request from `address` was verified."""
        self._genuine.note(network_of(address))


def network_of(address: str) -> str:
    """Return what an attacker cannot choose freely of `address`: of IPv6 the first 64 bits, of IPv4 all."""
    return _network_of(address) if ":" in address else address


@lru_cache(maxsize=MOST_ADDRESSES)
def _network_of(address: str) -> str:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> _HOST_BITS << _HOST_BITS))


def _digest(address: str) -> str:
    return sha256(address.encode()).hexdigest()[:32]
