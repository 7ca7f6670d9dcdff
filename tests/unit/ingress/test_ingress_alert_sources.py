"""The alerts of ingress at low and at high traffic, with the limits that everybody has."""

from collections.abc import Callable

import pytest

from hookline_ingress.alert_sources import measures
from hookline_ingress.metrics import REQUEST_SECONDS, REQUESTS, SIGNERS
from hookline_shared.alerts.rules import RULES
from hookline_shared.alerts.settings import AlertSettings
from hookline_shared.alerts.watcher import AlertWatcher
from hookline_shared.observability.loop_lag import LoopLag
from hookline_shared.observability.metrics import REDIS_OPERATION_SECONDS
from tests.support.observability.logbook import Logbook
from tests.support.observability.own_gauges import own_gauges
from tests.support.time.manual_clock import ManualClock

LIMITS = {name: rule.limit for name, rule in RULES.items()}
HEARTBEATS_PER_S = 4

Happening = Callable[[int], None]
"""What happens in a second, given how many there were before."""


class Traffic:
    """An ingress that takes `per_minute` webhooks, each within 4 ms, and is looked at once a second."""

    def __init__(self, per_minute: int, clock: ManualClock, lag: LoopLag, logbook: Logbook) -> None:
        self._per_minute = per_minute
        self._lag = lag
        self._clock = clock
        self._logbook = logbook
        self._watch = AlertWatcher(AlertSettings(), "ingress", measures(LIMITS, None, None), clock, logbook.logger)
        self._watch.evaluate()

    async def run_for(self, seconds: int, happens: Happening = lambda _second: None, *, sells: bool = True) -> set[str]:
        """Let `seconds` pass, in each of which `happens`; return the alerts that fired meanwhile."""
        told = len(self._logbook.lines)
        for second in range(seconds):
            if sells:
                self._sell(self._per_minute * (second + 1) // 60 - self._per_minute * second // 60)
            await self._clock.advance(1)
            for _ in range(HEARTBEATS_PER_S):
                self._lag.record(0.0, self._clock.monotonic())
            happens(second)
            self._watch.evaluate()
        return {line["alert"] for line in self._logbook.lines[told:] if line["event"] == "alert firing"}

    def _sell(self, webhooks: int) -> None:
        for _ in range(webhooks):
            SIGNERS.count("token1")
            answered(200, "accepted")
            REDIS_OPERATION_SECONDS.of("append").observe(0.002)


def answered(status: int, outcome: str, seconds: float = 0.004) -> None:
    """Count one request."""
    REQUESTS.count("/twilio", status, outcome)
    REQUEST_SECONDS.observe(seconds)


def once(happens: Callable[[], None], times: int = 1) -> Happening:
    """Let it happen in the first second only."""

    def first(second: int) -> None:
        for _ in range(0 if second else times):
            happens()

    return first


def every(seconds: int, happens: Callable[[], None], times: int = 1) -> Happening:
    """Let it happen again and again."""

    def now_and_then(second: int) -> None:
        for _ in range(0 if second % seconds else times):
            happens()

    return now_and_then


def slow_reply() -> None:
    answered(200, "accepted", 0.4)


def slow_write() -> None:
    REDIS_OPERATION_SECONDS.of("append").observe(0.4)


@pytest.fixture
def lag(monkeypatch: pytest.MonkeyPatch) -> LoopLag:
    """Return the state of the heartbeat; it begins with each test, as the clock does."""
    return own_gauges(monkeypatch)


@pytest.fixture(params=[2, 30_000], ids=["2 a minute", "500 a second"])
async def traffic(request: pytest.FixtureRequest, clock: ManualClock, lag: LoopLag, logbook: Logbook) -> Traffic:
    """Return low and high traffic."""
    return Traffic(request.param, clock, lag, logbook)


@pytest.fixture
async def small(clock: ManualClock, lag: LoopLag, logbook: Logbook) -> Traffic:
    return Traffic(2, clock, lag, logbook)


@pytest.fixture
async def big(clock: ManualClock, lag: LoopLag, logbook: Logbook) -> Traffic:
    return Traffic(30_000, clock, lag, logbook)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("happens", [slow_reply, slow_write])
async def test_one_that_was_slow_is_no_alert(happens: Callable[[], None], times: int, traffic: Traffic) -> None:
    """Nor are two, however little comes beside them."""
    assert await traffic.run_for(400, once(happens, times)) == set()


async def test_slow_replies_are_told_of_a_small_shop(small: Traffic) -> None:
    """Two a minute that are all slow are enough after a while."""
    assert await small.run_for(400, every(30, slow_reply), sells=False) == {"reply_slow"}


async def test_slow_writes_are_told_of_a_big_shop(big: Traffic) -> None:
    """One in fifty is enough of many; they are reported until five minutes after the last."""
    assert await big.run_for(60, every(1, slow_write, times=10)) == {"write_slow"}
    assert await big.run_for(400) == set()


def test_a_single_lag_is_gone_before_it_was_held_for_long_enough() -> None:
    """The window in which one is seen is shorter than the time for which it must be so."""
    limit = LIMITS["loop_lagging"]
    assert limit.window_s is not None
    assert limit.window_s < limit.for_s


async def test_loop_that_was_late_once_is_no_alert(small: Traffic, lag: LoopLag, clock: ManualClock) -> None:
    """A loop that is late again and again is one."""
    assert await small.run_for(60, once(lambda: lag.record(2.0, clock.monotonic()))) == set()
    assert await small.run_for(60, every(3, lambda: lag.record(0.4, clock.monotonic()))) == {"loop_lagging"}


@pytest.mark.parametrize("outcome", ["no_signature", "flooding", "unparsable"])
async def test_unsigned_requests_are_not_twilios(outcome: str, traffic: Traffic) -> None:
    """Whoever scans, however hard, is refused and no more: his address is soon turned away."""
    assert await traffic.run_for(60, every(1, lambda: answered(403, outcome), times=100)) == set()


@pytest.mark.parametrize("outcome", ["bad_signature", "flooding_signed"])
async def test_wrong_signatures_are_told(outcome: str, traffic: Traffic) -> None:
    """A wrong token is: also once the load balancer that all requests come through is turned away for it."""
    assert await traffic.run_for(60, every(1, lambda: answered(403, outcome), times=500), sells=False) == {"signatures_failing"}


async def test_two_forged_signatures_are_no_alert(traffic: Traffic) -> None:
    """However few are signed at all."""
    assert await traffic.run_for(300, once(lambda: answered(403, "bad_signature"), times=2)) == set()


async def test_forged_event_streams_are_no_loss(traffic: Traffic) -> None:
    """Anybody can send what is answered with a 503 there, so that Twilio would repeat it."""
    assert await traffic.run_for(60, once(lambda: answered(503, "bad_signature"), times=2)) == set()
    assert await traffic.run_for(60, every(1, lambda: answered(503, "too_large"), times=100)) == set()


async def test_scanner_hides_no_loss(big: Traffic) -> None:
    """However many paths somebody tries, one lost webhook in fifty is reported."""

    def happens() -> None:
        for _ in range(10):
            answered(503, "spool_full")
        for _ in range(2000):
            REQUESTS.count("none", 404, "unknown_path")

    assert await big.run_for(60, every(1, happens)) == {"refusals_high"}


async def test_one_loss_of_very_many_is_no_alert(big: Traffic) -> None:
    """It is not worth waking anybody for."""
    assert await big.run_for(60, once(lambda: answered(503, "failed"))) == set()


async def test_one_loss_of_a_small_shop_is_told(small: Traffic) -> None:
    """It is somebody's message, and a good part of what came."""
    assert await small.run_for(60, once(lambda: answered(503, "failed"))) == {"refusals_high"}
