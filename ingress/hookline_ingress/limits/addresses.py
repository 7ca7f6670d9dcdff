"""The limit of each address whose requests do not verify, and the addresses that have a larger one.

Twilio and an attacker can have the same address: that of a proxy, of a NAT gateway, or of Docker's network. So a request that
carries a signature is verified within a budget of processor time before anything is refused unread because of its address.

    below its rate    each request is verified
    above it          one without a signature is refused; one with a signature is verified within the budget for its size and
                      for its address, genuine or not; otherwise it is refused unread

Large bodies have budgets of their own, since one costs as much as dozens of small ones: whoever sends large forgeries does not
use up what Twilio's webhooks need, nearly all of which are small. The budgets of genuine addresses are larger.

The first webhook that verifies and is stored in Redis as a new one makes its address genuine, at all ingress processes. A
duplicate does not, nor one in the spool, which may be one: anyone who has captured a webhook can send it again. Which addresses
are genuine is kept in Redis, too, so a process that starts learns it with its first exchange. Without Redis, each process goes
by what it has seen itself.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from itertools import islice
from math import inf
from time import thread_time
from typing import Final

from hookline_ingress.limits.budget import VerificationBudget
from hookline_ingress.limits.rates import Meters, Rate
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.streams.limits.genuine_addresses import SharedAddresses
from hookline_shared.streams.limits.rate_limits import Answers

MOST_ADDRESSES: Final = 4096
"""Addresses that are remembered, the most recently used ones."""
GENUINE_S: Final = 86_400.0
"""A day: some installations receive few webhooks, and the address of a proxy seldom changes."""
SMALL: Final = 16 * 1024
"""Bytes of a small request; a text message has 1 to 3 kB, with 1600 characters of Cyrillic 10 kB."""
_NOTED_AGAIN_S: Final = 60.0
_EXCHANGE_INTERVAL_S: Final = 5.0
_HOST_BITS: Final = 64
_SITE_BITS: Final = 80
_NETWORKS_OF_A_SITE: Final = 16
"""The rate of a site, the first 48 bits of an IPv6 address, in rates of one network. A site has 65,536 networks."""
_SHARES: Final = {(False, False): 0.2, (False, True): 0.1, (True, False): 0.5, (True, True): 0.15}
"""The part of a core for each budget: whether its addresses are genuine, and whether its requests are large."""


class GenuineAddresses:
    """The addresses from which a webhook was accepted lately, by this process or, as far as `shared` tells, by another one.

    What other processes noted counts from when this one learns it, so for up to two days. `key` is a secret of all ingress
    processes: without it, nobody can find out which addresses the digests in Redis mean.
    """

    def __init__(self, clock: Clock, shared: SharedAddresses | None = None, key: str = "") -> None:
        self._key = blake2b(key.encode()).digest()
        self._clock = clock
        self._shared = shared
        self._noted: OrderedDict[str, float] = OrderedDict()
        self._known: dict[str, float] = {}
        self._due: set[str] = set()
        self._last, self._last_until = "", 0.0  # the address that was noted last, and until when it need not be again
        self._since_ms = 0
        self._next_at = 0.0

    def note(self, address: str) -> None:
        """Note that a webhook from `address` was accepted. It is told to others once a minute."""
        noted, now = self._noted, self._clock.monotonic()
        if address == self._last and now < self._last_until:  # as most webhooks come from a few addresses
            return
        if now - noted.get(address, -inf) >= _NOTED_AGAIN_S:
            noted[address] = now
            self._due.add(address)
        noted.move_to_end(address)
        self._last, self._last_until = address, noted[address] + _NOTED_AGAIN_S
        if len(noted) > MOST_ADDRESSES:
            self._due.discard(noted.popitem(last=False)[0])

    def knows(self, address: str) -> bool:
        """Whether a webhook from `address` was accepted lately."""
        now = self._clock.monotonic()
        return now - self._noted.get(address, -inf) < GENUINE_S or self._known.get(self._digest(address), -inf) > now

    async def exchange(self) -> Answers:
        """Exchange genuine addresses with the other processes, if it is time to; return the answer or the error."""
        if self._shared is None or self._clock.monotonic() < self._next_at:
            return []
        due = list(self._due)
        answer = await self._shared.exchange(self._since_ms, [self._digest(address) for address in due])
        if isinstance(answer, BrokerUnavailableError):
            return [answer]
        self._due.difference_update(due)
        now = self._clock.monotonic()
        self._next_at, self._since_ms = now + _EXCHANGE_INTERVAL_S, answer.now_ms
        learnt = dict.fromkeys(answer.digests, now + GENUINE_S)
        known = {digest: until for digest, until in self._known.items() if until > now and digest not in learnt} | learnt
        self._known = dict(islice(known.items(), max(0, len(known) - MOST_ADDRESSES), None))
        return [float(len(learnt))]

    def _digest(self, address: str) -> str:
        return blake2b(address.encode(), key=self._key, digest_size=16).hexdigest()


class AddressLimit:
    """Counts the requests of each address that do not verify, and the processor time, as `cpu_s` tells it in seconds, that goes
    into those of addresses above `rate`.

    Of one request, `blocks` and `refused` must be called in one step of the event loop, since the time between is its own. An
    IPv6 address counts as its network, which one host may own, and as its site.
    """

    def __init__(self, rate: Rate, clock: Clock, genuine: GenuineAddresses, cpu_s: Callable[[], float] = thread_time) -> None:
        self._rate = rate
        self._site_rate = Rate(rate.per_second * _NETWORKS_OF_A_SITE, rate.burst * _NETWORKS_OF_A_SITE)
        self._clock = clock
        self._genuine = genuine
        self._cpu_s = cpu_s
        self._budgets = {of: VerificationBudget(share) for of, share in _SHARES.items()}
        self._charged: VerificationBudget | None = None
        self._began_s = 0.0
        self.meters = Meters(MOST_ADDRESSES)

    def blocks(self, address: str, size: int = 0, *, signed: bool) -> bool:
        """Whether a request of `size` bytes from `address` is refused unread; `signed` is whether it carries a signature."""
        self._charged = None
        if self.meters.is_empty:  # as long as every request verifies
            return False
        network = network_of(address)
        if not (self._is_above(network) or (":" in network and self._is_above(_site_of(network)))):
            return False
        if not signed:
            return True
        budget = self._budgets[self._genuine.knows(network), size > SMALL]
        if not budget.allows(self._clock.monotonic()):
            return True
        self._charged, self._began_s = budget, self._cpu_s()
        return False

    def _is_above(self, key: str) -> bool:
        meter = self.meters.get(key)
        return meter is not None and meter.above and meter.level(self._clock.monotonic()) > 0

    def refused(self, address: str) -> None:
        """Count a request from `address` that did not verify, and charge its time."""
        self.reused(address)
        if self._charged is not None:
            self._charged.charge(self._cpu_s() - self._began_s, self._clock.monotonic())

    def reused(self, address: str) -> None:
        """Count a request from `address` that verified, but whose signature made another event: Redis has said so, later.

        Its time is not charged: `blocks` has been called for other requests since.
        """
        if not self._rate.per_second or not address:
            return
        now = self._clock.monotonic()
        network = network_of(address)
        self.meters.take(network, self._rate, now)
        if ":" in network:
            self.meters.take(_site_of(network), self._site_rate, now)

    def is_genuine(self, address: str) -> bool:
        """Whether a webhook from `address` was verified and stored lately."""
        return self._genuine.knows(network_of(address))

    def accepted(self, address: str) -> None:
        """Note that a webhook from `address` was verified and stored, and is no duplicate."""
        self._genuine.note(_network_of(address) if ":" in address else address)


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


@lru_cache(maxsize=MOST_ADDRESSES)
def _site_of(network: str) -> str:
    """Return the site to which an IPv6 `network` belongs, and with it all that one attacker may have."""
    try:
        parsed = IPv6Address(network)
    except ValueError:
        return network
    return f"{IPv6Address(int(parsed) >> _SITE_BITS << _SITE_BITS)}/48"
