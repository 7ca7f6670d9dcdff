"""Limits: who is demoted, who is blocked, and who never is. No Redis here."""

import pytest

from hookline_ingress.limits.addresses import GenuineAddresses
from hookline_ingress.limits.rates import Meters, Rate
from hookline_ingress.limits.sender_limit import LimitExchange, SenderLimit
from hookline_ingress.metrics import LIMITS_SHARED
from hookline_shared.errors import BrokerUnavailableError, CommandRefusedError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.streams.limits.rate_limits import SharedLimits, Usage
from tests.support.observability.logbook import Logbook
from tests.support.time.manual_clock import ManualClock

RATE = Rate(1.0, 3)
ACCOUNT, SENDER = "AC1", "+15550001"
ALONE, TOGETHER = "rate limits are counted by this process alone", "rate limits are shared again"


class FakeLimits(SharedLimits):
    """Limits that nobody else counts against, and that can fail."""

    def __init__(self) -> None:
        self.problem: BrokerUnavailableError | None = None
        self.told: list[Usage] = []
        self._levels: dict[str, float] = {}

    async def exchange(self, taken: list[Usage]) -> list[float | BrokerUnavailableError]:  # type: ignore[override]
        """Count without leaking."""
        self.told += taken
        return [self.problem or self._count(one) for one in taken]

    def _count(self, one: Usage) -> float:
        self._levels[one.key] = min(one.most, self._levels.get(one.key, 0.0) + one.events)
        return self._levels[one.key]


@pytest.fixture
def senders(clock: ManualClock) -> SenderLimit:
    return SenderLimit(RATE, clock)


@pytest.fixture
def limits() -> FakeLimits:
    return FakeLimits()


def exchange_of(limits: FakeLimits, meters: Meters, clock: ManualClock, logbook: Logbook) -> LimitExchange:
    return LimitExchange([(limits, meters)], GenuineAddresses(clock), clock, logbook.logger)


async def test_sender_above_its_rate_is_demoted(senders: SenderLimit, clock: ManualClock) -> None:
    """A burst passes; then a sender is demoted until its bucket is empty."""
    assert [senders.demotes(ACCOUNT, SENDER) for _ in range(4)] == [False, False, False, True]
    await clock.advance(3.5)
    assert senders.demotes(ACCOUNT, SENDER)
    await clock.advance(2)
    assert not senders.demotes(ACCOUNT, SENDER)


async def test_senders_do_not_share_a_bucket(senders: SenderLimit) -> None:
    """The same number under two accounts is two senders."""
    for _ in range(4):
        senders.demotes(ACCOUNT, SENDER)
    assert not senders.demotes("AC2", SENDER)


async def test_route_with_its_own_rate(senders: SenderLimit) -> None:
    """A route's own rate applies there, whichever route a sender came to first, and there alone."""
    generous = Rate(1.0, 50)
    assert not senders.demotes(ACCOUNT, SENDER)
    assert not any(senders.demotes(ACCOUNT, SENDER, generous) for _ in range(50))
    assert senders.demotes(ACCOUNT, SENDER, generous)
    assert [senders.demotes(ACCOUNT, SENDER) for _ in range(3)] == [False, False, True]


async def test_rate_of_zero_is_no_limit(clock: ManualClock) -> None:
    """A limit that is off demotes nobody, and remembers nobody."""
    senders = SenderLimit(Rate(0.0, 1), clock)
    assert not any(senders.demotes(ACCOUNT, SENDER) for _ in range(100))
    assert len(senders.meters) == 0


async def test_nobody_in_particular_is_not_limited(senders: SenderLimit) -> None:
    """Events without a sender are not counted as those of one."""
    assert not any(senders.demotes(ACCOUNT, "") for _ in range(100))


async def test_exchange_tells_only_what_is_new(
    limits: FakeLimits, senders: SenderLimit, clock: ManualClock, logbook: Logbook
) -> None:
    """A pass sends what came since the last one, and keys with nothing taken not at all."""
    exchange = exchange_of(limits, senders.meters, clock, logbook)
    senders.demotes(ACCOUNT, SENDER)
    senders.demotes(ACCOUNT, SENDER)
    await exchange.exchange()
    await exchange.exchange()
    senders.demotes(ACCOUNT, SENDER)
    await exchange.exchange()
    assert [one.events for one in limits.told] == [2, 1]


async def test_counts_outlast_a_failure(limits: FakeLimits, senders: SenderLimit, clock: ManualClock, logbook: Logbook) -> None:
    """What could not be told is told later, and a change is logged once; nothing is raised."""
    exchange = exchange_of(limits, senders.meters, clock, logbook)
    limits.problem = CommandRefusedError("no")
    senders.demotes(ACCOUNT, SENDER)
    await exchange.exchange()
    senders.demotes(ACCOUNT, SENDER)
    await exchange.exchange()
    assert LIMITS_SHARED._value.get() == 0
    limits.problem = None
    await exchange.exchange()
    assert LIMITS_SHARED._value.get() == 1
    assert [one.events for one in limits.told] == [1, 2, 2]
    assert [line["event"] for line in logbook.lines] == [ALONE, TOGETHER]


async def test_silence_is_no_sign_of_recovery(
    limits: FakeLimits, senders: SenderLimit, clock: ManualClock, logbook: Logbook
) -> None:
    """While nothing has to be told, nobody claims that limits are shared again."""
    exchange = exchange_of(limits, senders.meters, clock, logbook)
    limits.problem = BrokerUnavailableError("down")
    senders.demotes(ACCOUNT, SENDER)
    await exchange.exchange()
    await clock.advance(60)
    await exchange.exchange()
    told = len(limits.told)
    await exchange.exchange()
    assert len(limits.told) == told
    assert LIMITS_SHARED._value.get() == 0
    assert logbook.find(TOGETHER) is None


async def test_sender_within_its_rate_is_not_punished_for_an_outage(
    limits: FakeLimits, clock: ManualClock, logbook: Logbook
) -> None:
    """Events counted during an outage do not all count as of the moment at which it ends."""
    senders = SenderLimit(Rate(2.0, 3), clock)
    exchange = exchange_of(limits, senders.meters, clock, logbook)
    limits.problem = BrokerUnavailableError("down")
    for _ in range(100):
        assert not senders.demotes(ACCOUNT, SENDER)
        await exchange.exchange()
        await clock.advance(1)
    limits.problem = None
    assert not senders.demotes(ACCOUNT, SENDER)
    await exchange.exchange()
    assert not senders.demotes(ACCOUNT, SENDER)


async def test_worker_exchanges_twice_a_second_and_forgets(
    limits: FakeLimits, senders: SenderLimit, clock: ManualClock, logbook: Logbook
) -> None:
    """The worker goes on through failures, drops whoever is idle, and ends when it is stopped."""
    supervisor = Supervisor(logbook.logger)
    exchange = exchange_of(limits, senders.meters, clock, logbook)
    await exchange.start(supervisor)
    limits.problem = BrokerUnavailableError("down")
    senders.demotes(ACCOUNT, SENDER)
    await clock.advance(0.5)
    assert len(limits.told) == 1
    limits.problem = None
    await clock.advance(0.5)
    assert len(limits.told) == 2
    await clock.advance(20)
    assert len(senders.meters) == 0
    await exchange.stop()
    assert supervisor.failure is None
    await supervisor.close()
