"""The breaker: failures in a row open it, only a probe closes it, and what tells nothing changes nothing."""

import asyncio
import time
from collections.abc import Iterator
from itertools import count

import pytest
from prometheus_client import REGISTRY

from hookline_shared.breaker import Breaker, BreakerOpenError, State, probe_delay
from tests.support.observability.logbook import Logbook
from tests.support.time.manual_clock import ManualClock

FAIL_MAX = 3

_number = count()


class Refused(Exception):
    """Says nothing about the destination."""


@pytest.fixture
async def breaker(clock: ManualClock, logbook: Logbook) -> Breaker:
    return make(clock, logbook)


@pytest.fixture
def time_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def make(clock: ManualClock, logbook: Logbook, jitter: float = 0.0) -> Breaker:
    return Breaker(
        f"test {next(_number)}",
        clock,
        logbook.logger,
        fail_max=FAIL_MAX,
        counts=lambda error: not isinstance(error, Refused),
        jitter=lambda: jitter,
    )


def fail(breaker: Breaker, times: int = 1, error: type[BaseException] = ConnectionError) -> None:
    for _ in range(times):
        with pytest.raises(error), breaker.guard():
            raise error("no answer")


def succeed(breaker: Breaker) -> None:
    with breaker.guard():
        pass


def fail_probe(breaker: Breaker, error: type[BaseException] = ConnectionError) -> None:
    with pytest.raises(error), breaker.probe():
        raise error("still no answer")


def state(breaker: Breaker) -> State:
    return breaker.state


def name_of(logbook: Logbook) -> str:
    return str(logbook.lines[-1]["breaker"])


async def test_failures_in_a_row_open_it(breaker: Breaker) -> None:
    """It opens with the last of so many failures, not before."""
    fail(breaker, FAIL_MAX - 1)
    assert state(breaker) is State.CLOSED
    fail(breaker)
    assert state(breaker) is State.OPEN


async def test_success_starts_the_count_anew(breaker: Breaker) -> None:
    """Failures with a success between them are not in a row."""
    for _ in range(5):
        fail(breaker, FAIL_MAX - 1)
        succeed(breaker)
    assert state(breaker) is State.CLOSED


async def test_open_lets_nothing_through(breaker: Breaker, clock: ManualClock) -> None:
    """However long it has been open and however many come: traffic never probes, and is told why and until when."""
    fail(breaker, FAIL_MAX)
    await clock.advance(3600)
    for _ in range(10):
        with pytest.raises(BreakerOpenError, match=r"2025-06-15T15:06:40\.500Z.*no answer"), breaker.guard():
            pytest.fail("let through")


async def test_half_open_lets_only_the_probe_through(breaker: Breaker) -> None:
    """While the probe is under way everybody else is still refused."""
    fail(breaker, FAIL_MAX)
    with breaker.probe():
        assert state(breaker) is State.HALF_OPEN
        for _ in range(10):
            with pytest.raises(BreakerOpenError), breaker.guard():
                pytest.fail("let through")
    assert state(breaker) is State.CLOSED
    succeed(breaker)


async def test_failed_probes_come_ever_later(breaker: Breaker, clock: ManualClock) -> None:
    """The delay doubles up to its bound; after a success it is short again."""
    fail(breaker, FAIL_MAX)
    delays = []
    for _ in range(5):
        delays.append(breaker.seconds_to_probe())
        await clock.advance(breaker.seconds_to_probe())
        assert breaker.seconds_to_probe() == 0
        fail_probe(breaker)
    assert delays == [0.5, 1, 2, 2, 2]
    with breaker.probe():
        pass
    assert breaker.seconds_to_probe() == 0
    fail(breaker, FAIL_MAX)
    assert breaker.seconds_to_probe() == 0.5


@pytest.mark.parametrize(
    ("failed", "jitter", "delay"), [(0, 0, 0.5), (1, 0, 1), (2, 0, 2), (9, 0, 2), (10**6, 0, 2), (0, 1, 0.25), (3, 0.5, 1.5)]
)
def test_delay(failed: int, jitter: float, delay: float) -> None:
    """Doubling from half a second to two, less up to a half by chance."""
    assert probe_delay(failed, jitter) == delay


async def test_probe_of_a_closed_breaker_is_a_call_like_others(breaker: Breaker) -> None:
    """A health check while all is well counts its failures."""
    for _ in range(FAIL_MAX):
        fail_probe(breaker)
    assert state(breaker) is State.OPEN


@pytest.mark.parametrize("error", [asyncio.CancelledError, Refused])
async def test_what_tells_nothing_changes_nothing(breaker: Breaker, error: type[BaseException]) -> None:
    """A cancellation, or an error that does not count, is neither a failure nor a success."""
    fail(breaker, FAIL_MAX - 1)
    fail(breaker, 10, error)
    assert state(breaker) is State.CLOSED
    fail(breaker)
    assert state(breaker) is State.OPEN


@pytest.mark.parametrize("error", [asyncio.CancelledError, Refused])
async def test_probe_that_tells_nothing_leaves_it_open(breaker: Breaker, error: type[BaseException]) -> None:
    """It is open again, never stuck half-open, and another probe can close it."""
    fail(breaker, FAIL_MAX)
    fail_probe(breaker, error)
    assert state(breaker) is State.OPEN
    with breaker.probe():
        pass
    assert state(breaker) is State.CLOSED


async def test_late_results_do_not_count(breaker: Breaker) -> None:
    """Calls that began before it opened say nothing about what is now, whether they fail or succeed."""
    late = [breaker.guard() for _ in range(FAIL_MAX)]
    for call in late:
        call.__enter__()
    fail(breaker, FAIL_MAX)
    late.pop().__exit__(None, None, None)
    assert state(breaker) is State.OPEN
    with breaker.probe():
        pass
    for call in late:
        call.__exit__(ConnectionError, ConnectionError("late"), None)
    fail(breaker, FAIL_MAX - 1)
    assert state(breaker) is State.CLOSED


async def test_one_line_for_each_change(breaker: Breaker, logbook: Logbook) -> None:
    """Opening is a warning with the reason and the next probe, closing is information, and what is between is debug output."""
    fail(breaker, FAIL_MAX)
    fail_probe(breaker)
    with breaker.probe():
        pass
    assert [(line["level"], line["was"], line["state"]) for line in logbook.lines] == [
        ("warning", "closed", "open"),
        ("debug", "open", "half_open"),
        ("debug", "half_open", "open"),
        ("debug", "open", "half_open"),
        ("info", "half_open", "closed"),
    ]
    opened = logbook.lines[0]
    assert (opened["reason"], opened["next_probe"]) == ("no answer", "2025-06-15T15:06:40.500Z")
    assert logbook.lines[2]["reason"] == "still no answer"


async def test_metrics_follow(breaker: Breaker, logbook: Logbook) -> None:
    """The gauge shows the state, the counter each change."""
    fail(breaker, FAIL_MAX)
    labels = {"name": name_of(logbook)}
    assert REGISTRY.get_sample_value("hookline_breaker_state", labels) == 2
    with breaker.probe():
        assert REGISTRY.get_sample_value("hookline_breaker_state", labels) == 1
    assert REGISTRY.get_sample_value("hookline_breaker_state", labels) == 0
    changes = {
        state: REGISTRY.get_sample_value("hookline_breaker_transitions_total", labels | {"to": state})
        for state in ("open", "half_open", "closed")
    }
    assert changes == {"open": 1, "half_open": 1, "closed": 1}
    breaker.close()
    left = [
        sample.name for metric in REGISTRY.collect() for sample in metric.samples if sample.labels.get("name") == labels["name"]
    ]
    assert left == []


@pytest.mark.parametrize("time_zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles", "Pacific/Kiritimati"], indirect=True)
@pytest.mark.usefixtures("time_zone")
async def test_any_time_zone(breaker: Breaker, logbook: Logbook, clock: ManualClock) -> None:
    """Where the machine stands changes neither when the next probe is due nor how that is reported."""
    fail(breaker, FAIL_MAX)
    assert logbook.lines[-1]["next_probe"] == "2025-06-15T15:06:40.500Z"
    assert breaker.seconds_to_probe() == 0.5
    await clock.advance(0.5)
    with breaker.probe():
        pass
    assert state(breaker) is State.CLOSED


async def test_breakers_know_nothing_of_each_other(clock: ManualClock, logbook: Logbook) -> None:
    """One destination that fails takes no other with it."""
    one, other = make(clock, logbook), make(clock, logbook)
    fail(one, FAIL_MAX)
    succeed(other)
    assert (one.state, other.state) == (State.OPEN, State.CLOSED)
