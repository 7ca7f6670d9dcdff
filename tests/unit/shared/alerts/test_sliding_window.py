"""The latest part of what is only counted up, percentiles of it, and trends."""

from bisect import bisect_left
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline_processor.monitoring.trend import Trend
from hookline_shared.alerts.sliding_window import SlidingWindow, SlidingWindows, proportion, quantile
from hookline_shared.observability.loop_lag import LoopLag
from hookline_shared.observability.timings import FAST_SECONDS, FastHistogram


def test_window_slides() -> None:
    """Only what was counted within the window counts; what was there before the first look does not."""
    window = SlidingWindow(10)
    grown = [
        window.grown((total, 2 * total), at) for at, total in ((0, 100), (5, 103), (10, 103), (12, 104), (15, 104), (30, 104))
    ]
    assert grown == [[0, 0], [3, 6], [3, 6], [4, 8], [1, 2], [0, 0]]


def test_long_pause_leaves_the_last_look() -> None:
    """After a time in which nobody looked, what came since the last look counts: it may have come just now."""
    window = SlidingWindow(10)
    window.grown((1,), 0)
    assert window.grown((5,), 100) == [4]
    assert window.grown((5,), 111) == [0]


def test_windows_of_several() -> None:
    """Each slides by itself; what comes up after the first look was nothing until then."""
    window = SlidingWindows(10)
    assert window.grown({"a": (100, 1)}, 0) == {"a": [0, 0]}
    assert window.grown({"a": (103, 1), "b": (5, 2)}, 5) == {"a": [3, 0], "b": [5, 2]}
    assert window.grown({"a": (103, 1), "b": (6, 2)}, 15) == {"a": [0, 0], "b": [1, 0]}


def test_quantile_lies_within_its_bucket() -> None:
    """It is found by interpolation, as Prometheus does."""
    bounds = (1.0, 2.0, 4.0)
    assert quantile(bounds, (0, 10, 0, 0), 0.5) == 1.5
    assert quantile(bounds, (98, 0, 2, 0), 0.99) == 3.0
    assert quantile(bounds, (0, 0, 0, 5), 0.99) == 4.0
    assert quantile(bounds, (0, 0, 0, 0), 0.99) == 0.0


@pytest.mark.parametrize(
    ("counts", "found"),
    [((8, 0, 2, 0), 1.0), ((7, 0, 3, 0), pytest.approx(2 + 2 / 3)), ((0, 0, 2, 0), 0.0), ((997, 0, 3, 0), 0.99 * 1000 / 997)],
    ids=["two of few", "three of few", "nothing else", "three of many"],
)
def test_quantile_spares_some(counts: tuple[int, ...], found: float) -> None:
    """Of few, two that are slow tell nothing; of many they make no difference."""
    assert quantile((1.0, 2.0, 4.0), counts, 0.99, spared=2) == found


@given(st.lists(st.floats(0, 14.9), min_size=1, max_size=200))
def test_quantile_is_in_the_bucket_of_the_true_one(durations: list[float]) -> None:
    """However durations are spread, the estimate is in the bucket in which the true percentile is."""
    timing = FastHistogram()
    for seconds in durations:
        timing.observe(seconds)
    true = sorted(durations)[max(0, -(-99 * len(durations) // 100) - 1)]
    bucket = bisect_left(FAST_SECONDS, true)
    lower = FAST_SECONDS[bucket - 1] if bucket else 0.0
    assert lower <= quantile(FAST_SECONDS, timing.counts, 0.99) <= FAST_SECONDS[bucket]


@pytest.mark.parametrize(("part", "whole", "least", "share"), [(1, 4, 1, 0.25), (0, 0, 1, 0.0), (2, 2, 3, 0.0), (3, 3, 3, 1.0)])
def test_proportion(part: int, whole: int, least: int, share: float) -> None:
    """Of too few nothing is said."""
    assert proportion(part, whole, least) == share


def test_trend_of_a_steady_growth() -> None:
    """At 10 a second, 500 more take 50 seconds."""
    trend = Trend(60)
    for at in range(0, 60, 5):
        trend.add(at, 10 * at)
    assert trend.slope() == pytest.approx(10)
    assert trend.seconds_to(550 + 500) == pytest.approx(50)
    assert trend.seconds_to(100) == 0


def test_trend_sees_through_noise_and_forgets() -> None:
    """A value that goes up and down around the same level has no trend to speak of; once growth is over, it is forgotten."""
    trend = Trend(60)
    for at in range(0, 300, 5):
        trend.add(at, 1000 + 50 * (-1) ** (at // 5))
    assert trend.seconds_to(1_000_000) > 100_000
    for at in range(300, 330, 5):
        trend.add(at, 1000 * (at - 290))
    assert trend.seconds_to(100_000) < 300
    for at in range(330, 420, 5):
        trend.add(at, 39_000 - (at - 330))
    assert trend.seconds_to(100_000) == inf


def test_too_few_samples_are_no_trend() -> None:
    """Two looks would call every bump one; and samples of the same moment tell nothing."""
    trend = Trend(60)
    assert trend.seconds_to(10) == inf
    trend.add(0, 0)
    trend.add(5, 9)
    assert trend.seconds_to(10) == inf
    still = Trend(60)
    for value in range(3):
        still.add(7, value)
    assert still.slope() == 0


def test_worst_lag() -> None:
    """The longest of the latest heartbeats is reported, so that whoever looks seldom does not miss it."""
    lag = LoopLag()
    assert lag.worst(15) == 0
    for at, late in ((1, 0.0), (2, 0.7), (3, 0.1)):
        lag.record(late, at)
    assert (lag.worst(15), lag.worst(1)) == (0.7, 0.1)


@given(st.lists(st.floats(0, 2), max_size=50), st.integers(1, 60))
def test_worst_lag_is_the_longest_of_its_window(lags: list[float], within_s: int) -> None:
    """Whatever came before or after it, and however long the window."""
    lag = LoopLag()
    for at, late in enumerate(lags):
        lag.record(late, at)
    assert lag.worst(within_s) == max(lags[-within_s:], default=0.0)


def test_lags_are_remembered_for_an_hour() -> None:
    """A heartbeat comes four times a second: the longest window that can be set is not cut, and nothing older is kept."""
    lag = LoopLag()
    for beat in range(4 * 3600):
        lag.record(0.9 if beat == 1 else 0.001, beat / 4)
    assert lag.worst(3600) == 0.9
    lag.record(0.0, 3601)
    assert lag.worst(7200) == 0.001
