"""The alerts of the processor at low and at high traffic, with the limits that everybody has."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hookline_processor.metrics import BODIES_GONE, FAILED_ATTEMPTS, GROUPS_RECREATED, HANDLER_SECONDS
from hookline_processor.monitoring.alert_sources import AlertSources, measures
from hookline_processor.monitoring.backlog import BacklogGauges
from hookline_processor.partition.waiting.waiting_sets import WaitingTotals
from hookline_shared.alerts.rules import RULES
from hookline_shared.alerts.settings import AlertSettings
from hookline_shared.alerts.watcher import AlertWatcher
from hookline_shared.observability.metrics import EVENTS
from hookline_shared.readers.watch import ReadersWatch
from hookline_shared.streams.backlog import Backlog
from hookline_shared.topics import MESSAGES
from tests.support.observability.logbook import Logbook
from tests.support.observability.own_gauges import own_gauges
from tests.support.time.manual_clock import ManualClock

LIMITS = {name: rule.limit for name, rule in RULES.items()}
BACKLOG_LIMIT = 1_000_000
LOOK_S = 5

Happening = Callable[[int], None]
"""What happens in a second, given how many there were before."""


class Traffic:
    """A processor that makes `per_minute` attempts, all of which go well, and is looked at once a second.

    `backlog` is what Redis says that waits in topic messages, None while it says nothing. `closed` are the accounts from which
    nothing is sent, `doubts` the messages that may be sent.
    """

    def __init__(self, per_minute: int, clock: ManualClock, logbook: Logbook) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._logbook = logbook
        self._gauges = BacklogGauges(cast(Any, None), 8, [MESSAGES], WaitingTotals(), LOOK_S, clock)
        self.is_leader = True
        readers = ReadersWatch(cast(Any, None), 8, (), LOOK_S, clock)
        self.closed: dict[str, str] = {}
        self.doubts: list[str] = []
        outbox = SimpleNamespace(
            accounts=SimpleNamespace(problems=lambda: self.closed), sender=SimpleNamespace(doubts=lambda: self.doubts)
        )
        sources = AlertSources(self._gauges, BACKLOG_LIMIT, None, readers, lambda: self.is_leader, cast(Any, outbox))
        found = measures(LIMITS, sources, clock)
        self._watch = AlertWatcher(AlertSettings(), "processor", found, clock, logbook.logger)
        self.backlog: Backlog | None = Backlog(0, None)
        self._watch.evaluate()

    async def run_for(self, seconds: int, happens: Happening = lambda _second: None) -> set[str]:
        """Let `seconds` pass, in each of which `happens`; return the alerts that were raised meanwhile."""
        told = len(self._logbook.lines)
        for second in range(seconds):
            for _ in range(self._per_minute * (second + 1) // 60 - self._per_minute * second // 60):
                attempted("message.received")
            await self._clock.advance(1)
            happens(second)
            if self.backlog is not None and second % LOOK_S == 0:
                self._gauges.record({MESSAGES: self.backlog})
            self._watch.evaluate()
        lines = [line for line in self._logbook.lines[told:] if line["event"] == "alert firing"]
        return {f"{line['alert']} {line['subject'] or ''}".rstrip() for line in lines}

    def raised(self) -> list[str]:
        """Return the alerts that are raised now."""
        return self._watch.warnings()


def attempted(kind: str, *, failed: bool = False) -> None:
    """Count one attempt."""
    HANDLER_SECONDS.of(kind).observe(0.01)
    EVENTS.count(MESSAGES, kind, "retry" if failed else "done")
    if failed:
        FAILED_ATTEMPTS.count(kind)


def at(moment: int, happens: Callable[[], None], times: int = 1) -> Happening:
    """Let it happen in one second only."""

    def then(second: int) -> None:
        for _ in range(times if second == moment else 0):
            happens()

    return then


@pytest.fixture(autouse=True)
def nothing_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let breakers and pools of other tests be none of ours."""
    own_gauges(monkeypatch)


@pytest.fixture(params=[2, 30_000], ids=["2 a minute", "500 a second"])
async def traffic(request: pytest.FixtureRequest, clock: ManualClock, logbook: Logbook) -> Traffic:
    """Return low and high traffic."""
    return Traffic(request.param, clock, logbook)


@pytest.fixture
async def small(clock: ManualClock, logbook: Logbook) -> Traffic:
    return Traffic(2, clock, logbook)


async def test_nothing_is_told_of_what_goes_well(traffic: Traffic, clock: ManualClock) -> None:
    """A backlog of a few seconds is what there always is."""
    traffic.backlog = Backlog(1500, clock.now_ms())
    assert await traffic.run_for(120) == set()


async def test_first_dead_letter_is_told(traffic: Traffic) -> None:
    """However much goes well: somebody waits for an answer."""
    assert await traffic.run_for(10, at(2, lambda: EVENTS.count(MESSAGES, "message.received", "dead"))) == {
        "dead_letters_growing"
    }


@pytest.mark.parametrize("notices", [GROUPS_RECREATED.inc, BODIES_GONE.labels(MESSAGES).inc], ids=["flushed", "trimmed"])
async def test_lost_data_is_told_at_once(notices: Callable[[], None], traffic: Traffic) -> None:
    """Events that were accepted are gone: the first that shows it is an alert."""
    assert await traffic.run_for(10, at(2, notices)) == {"data_gone"}


async def test_backlog_is_told_by_one_of_many(small: Traffic, clock: ManualClock) -> None:
    """All processors see the same of it, and the channel should hear it once. Whoever no longer speaks leaves it to another."""
    small.backlog = Backlog(600_000, clock.now_ms() - 400_000)
    small.is_leader = False
    assert await small.run_for(100) == set()
    small.is_leader = True
    assert await small.run_for(100) == {"backlog_high messages", "oldest_event_old messages"}
    small.is_leader = False
    assert await small.run_for(100) == set()
    assert small.raised() == []


async def test_growth_of_a_backlog_is_told(traffic: Traffic, clock: ManualClock) -> None:
    """At a thousand a second it is full within the hour; what grows by one a second has time."""

    def grows(by: int) -> Happening:
        def grow(second: int) -> None:
            traffic.backlog = Backlog(by * second, clock.now_ms())

        return grow

    assert await traffic.run_for(200, grows(1)) == set()
    assert await traffic.run_for(200, grows(1000)) == {"backlog_growing messages"}


async def test_failing_kind_is_told_beside_one_that_works(traffic: Traffic) -> None:
    """A new handler that always fails is seen, however much else goes well; five attempts are enough."""

    def fails(second: int) -> None:
        if second % 30 == 0:
            attempted("call.completed", failed=True)

    assert await traffic.run_for(200, fails) == {"handlers_failing call.completed"}


async def test_few_failures_are_no_alert(traffic: Traffic) -> None:
    """They are tried again. What fails once in a while is what retries are for."""
    assert await traffic.run_for(400, at(2, lambda: attempted("call.completed", failed=True), times=4)) == set()
    assert await traffic.run_for(400, at(300, lambda: attempted("message.received", failed=True))) == set()


async def test_messages_that_do_not_go_out(clock: ManualClock, logbook: Logbook) -> None:
    """Replies that cannot be sent, or of which nobody knows, are told of for as long as that lasts."""
    traffic = Traffic(60, clock, logbook)
    traffic.closed["AC1"] = "revoked"
    traffic.doubts += ["a message"] * 30
    assert await traffic.run_for(3600) >= {"messages_held", "messages_in_doubt"}
    traffic.closed.clear()
    traffic.doubts.clear()
    await traffic.run_for(600)
    assert not [alert for alert in traffic.raised() if "messages_" in alert]
