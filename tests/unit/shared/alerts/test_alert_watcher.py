"""The loop that watches: what it reports, where, and that nothing of it can hurt the service."""

from collections.abc import AsyncIterator, Mapping
from typing import cast

import msgspec
import pytest
from prometheus_client import REGISTRY

from hookline_cli.status.service_alert import ServiceAlert, parse_alert
from hookline_shared.alerts.measures import Measure
from hookline_shared.alerts.rules import RULES
from hookline_shared.alerts.settings import AlertSettings
from hookline_shared.alerts.thresholds import Threshold
from hookline_shared.alerts.watcher import AlertWatcher
from hookline_shared.lifecycle.service import Supervisor
from tests.support.observability.logbook import Logbook
from tests.support.time.manual_clock import ManualClock

LIMITS = {name: rule.limit for name, rule in RULES.items()}


class Watched:
    """A watch over values that a test sets; `limits` stand in place of the usual ones."""

    def __init__(self, clock: ManualClock, logbook: Logbook, **limits: Threshold) -> None:
        self.values: dict[str, Mapping[str, float] | None] = {}
        self._clock = clock
        self._logbook = logbook
        self._limits = LIMITS | limits

    def watch(self, *names: str, **measures: Measure) -> AlertWatcher:
        found = measures | {name: lambda _now, name=name: self.values[name] for name in names}
        return AlertWatcher(AlertSettings(limits=self._limits), "test", found, self._clock, self._logbook.logger)


@pytest.fixture
async def watched(clock: ManualClock, logbook: Logbook) -> Watched:
    return Watched(clock, logbook)


@pytest.fixture
async def supervisor(logbook: Logbook) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(logbook.logger)
    yield supervisor
    await supervisor.close()


def gauge(name: str, level: str, subject: str = "") -> float | None:
    return REGISTRY.get_sample_value("hookline_alert", {"name": name, "level": level, "subject": subject})


async def test_told_everywhere_once(watched: Watched, clock: ManualClock, logbook: Logbook, supervisor: Supervisor) -> None:
    """What stays too high for the hold time is a line in the log, a 1 in the metrics, and a warning; then all is undone."""
    watched.values["reply_slow"] = {"": 0.6}
    watch = watched.watch("reply_slow")
    await watch.start(supervisor, 9080)
    await clock.advance(29)
    assert (watch.warnings(), gauge("reply_slow", "warning")) == ([], 0)
    await clock.advance(20)
    (line,) = [line for line in logbook.lines if line["event"] == "alert firing"]
    assert line["level"] == "warning"
    assert (line["alert"], line["severity"], line["value"], line["threshold"]) == ("reply_slow", "warning", 0.6, 0.25)
    assert line["runbook"] == "docs/runbook.md#reply-slow"
    assert line["since"] == "2025-06-15T15:06:40Z"
    assert "hookline_ingress_stage_seconds" in line["remedy"]
    assert gauge("reply_slow", "warning") == 1
    (warning,) = watch.warnings()
    found = parse_alert(warning)
    assert found == ServiceAlert("reply_slow", "warning", "", "2025-06-15T15:06:40Z", found.text if found else "")
    watched.values["reply_slow"] = {"": 0.0}
    await clock.advance(40)
    cleared = logbook.find("alert resolved")
    assert cleared is not None
    assert (cleared["alert"], cleared["level"]) == ("reply_slow", "info")
    assert (watch.warnings(), gauge("reply_slow", "warning")) == ([], 0)
    await watch.stop()
    assert supervisor.failure is None


async def test_critical_is_an_error(watched: Watched, logbook: Logbook, clock: ManualClock) -> None:
    """So that whoever filters the log by level sees it. It is of each breaker by itself."""
    watched.values["breaker_open"] = {"redis 10.0.0.5:6379": 1, "crm (new)": 0}
    watch = watched.watch("breaker_open")
    watch.evaluate()
    await clock.advance(10)
    watch.evaluate()
    line = logbook.find("alert firing")
    assert line is not None
    assert (line["level"], line["subject"]) == ("error", "redis 10.0.0.5:6379")
    found = parse_alert(watch.warnings()[0])
    assert found is not None
    assert (found.name, found.subject, found.level) == ("breaker_open", "redis 10.0.0.5:6379", "critical")
    assert (gauge("breaker_open", "warning", "crm (new)"), gauge("breaker_open", "critical", found.subject)) == (0, 1)
    watched.values["breaker_open"] = {}
    watch.evaluate()
    assert watch.warnings() == []
    assert gauge("breaker_open", "warning", "crm (new)") is None
    assert gauge("breaker_open", "critical", found.subject) is None


@pytest.mark.parametrize(("subject", "level"), [("redis", "critical"), ("redis-cache", "warning"), ("crm", "warning")])
async def test_level_of_a_breaker(subject: str, level: str, watched: Watched, clock: ManualClock) -> None:
    """Without Redis nothing is handled. Of all else, it is the user's to say how much it matters."""
    watched.values["breaker_open"] = {subject: 1}
    watch = watched.watch("breaker_open")
    watch.evaluate()
    await clock.advance(10)
    watch.evaluate()
    (warning,) = watch.warnings()
    assert warning.startswith(f"breaker_open {subject} ({level}) since ")


async def test_unknown_value_changes_nothing(watched: Watched, clock: ManualClock, logbook: Logbook) -> None:
    """While Redis is away, nobody knows the backlog: it is neither fine nor worse."""
    watched.values["backlog_high"] = {"calls": 0.9}
    watch = watched.watch("backlog_high")
    watch.evaluate()
    await clock.advance(30)
    watch.evaluate()
    watched.values["backlog_high"] = None
    await clock.advance(300)
    watch.evaluate()
    assert len(watch.warnings()) == 1
    assert logbook.find("alert resolved") is None


async def test_unknown_time_is_no_hold_time(watched: Watched, clock: ManualClock, logbook: Logbook) -> None:
    """What was too high before Redis went away, and is when it comes back, may have been fine meanwhile."""
    watch = watched.watch("backlog_high")
    for value, seconds in (({"calls": 0.9}, 20), (None, 300), ({"calls": 0.9}, 20)):
        watched.values["backlog_high"] = value
        for _ in range(seconds):
            watch.evaluate()
            await clock.advance(1)
    assert watch.warnings() == []
    await clock.advance(10)
    watch.evaluate()
    (line,) = logbook.lines
    assert (line["event"], line["since"]) == ("alert firing", "2025-06-15T15:12:00Z")


async def test_what_is_off_is_not_watched(clock: ManualClock, logbook: Logbook) -> None:
    """It is not even asked for."""
    off = msgspec.structs.replace(LIMITS["disk_low"], enabled=False)
    watched = Watched(clock, logbook, disk_low=off)
    watched.watch(disk_low=lambda _now: pytest.fail("it was asked for")).evaluate()


async def test_measure_that_fails_stops_nothing(watched: Watched, clock: ManualClock, logbook: Logbook) -> None:
    """A mistake of ours in one of them is logged once, and the others are watched on."""

    def broken(_now: float) -> dict[str, float]:
        raise RuntimeError("unforeseen")

    watched.values["dead_letters_growing"] = {"": 3}
    watch = watched.watch("dead_letters_growing", loop_lagging=broken)
    watch.evaluate()
    watch.evaluate()
    assert [line["event"] for line in logbook.lines] == ["an alert cannot be evaluated", "alert firing"]


async def test_mistake_is_logged_again_once_it_was_over(watched: Watched, logbook: Logbook) -> None:
    """Another time it is news."""
    faults = [True, True, False, True]

    def broken(_now: float) -> dict[str, float]:
        if faults.pop(0):
            raise RuntimeError("unforeseen")
        return {"": 0}

    watch = watched.watch(loop_lagging=broken)
    for _ in range(4):
        watch.evaluate()
    assert [line["alert"] for line in logbook.lines] == ["loop_lagging"] * 2


async def test_mistake_in_telling_stops_nothing(
    watched: Watched, clock: ManualClock, logbook: Logbook, supervisor: Supervisor
) -> None:
    """Values that nobody can compare, say, are logged once. The service goes on, and so does watching all else."""
    watched.values = {"dead_letters_growing": {"": cast(float, "three")}, "data_gone": {"": 1}}
    watch = watched.watch("dead_letters_growing", "data_gone")
    await watch.start(supervisor, 9080)
    await clock.advance(5)
    assert [line["alert"] for line in logbook.lines] == ["dead_letters_growing", "data_gone"]
    watched.values["dead_letters_growing"] = {"": 3}
    await clock.advance(1)
    assert [line["event"] for line in logbook.lines] == ["an alert cannot be evaluated", "alert firing", "alert firing"]
    await watch.stop()
    assert supervisor.failure is None
