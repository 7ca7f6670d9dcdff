"""How versions are compared: ratios round by round with their certainty, and code from the history of git."""

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.versions.comparison import Costs, ratio
from bench.versions.sources import UnknownVersionError, Version, extract, recorded

_SLOW_MOMENTS = [1.0, 1.3, 1.0, 1.5, 1.1, 1.0, 1.4, 1.2, 1.0, 1.1, 1.3, 1.0]


def costs(times: float) -> Costs:
    """Return twelve rounds of a machine whose speed varies, in which the new version needs `times` the time of the old."""
    measured = Costs("a webhook", {"old": [], "new": []})
    for number, slow in enumerate(_SLOW_MOMENTS):
        measured.add("old", 50 * slow)
        measured.add("new", 50 * slow * times * (1.01 if number % 2 else 0.99))
    return measured


def test_the_speed_of_the_machine_cancels_out() -> None:
    """Only what is slower in the same round counts, however slow the round was."""
    found = costs(1.1).ratio("new", "old")
    assert found.median == pytest.approx(1.1)
    assert found.low == pytest.approx(1.1 * 0.99)
    assert found.high == pytest.approx(1.1 * 1.01)


@pytest.mark.parametrize(("count", "left_out"), [(1, 0), (5, 0), (6, 0), (9, 1), (12, 2), (20, 5), (36, 11)])
def test_the_interval_leaves_out_what_95_percent_allow(count: int, left_out: int) -> None:
    """The ends are those of the sign test; where there are too few rounds for any certainty, they are the extremes."""
    found = ratio([float(number) for number in range(count)])
    assert (found.low, found.high) == (left_out, count - 1 - left_out)


def test_a_system_without_cpu_times() -> None:
    """Nothing is compared where nothing is known."""
    with pytest.raises(BenchError, match="only Linux"):
        costs(1).add("new", None)


def test_the_code_of_a_version(tmp_path: Path) -> None:
    """It is written out whole, and Python imports it and nothing of the working tree."""
    source = extract(Version("this", "HEAD"), tmp_path)
    assert (source.root / "ingress" / "hookline_ingress" / "app.py").is_file()
    assert all(folder.startswith(str(tmp_path)) for folder in source.variables()["PYTHONPATH"].split(":"))


def test_a_version_that_git_does_not_have(tmp_path: Path) -> None:
    """What git says is passed on, with what helps."""
    with pytest.raises(UnknownVersionError, match=r"(?s)0\.9 \(no-such-tag\).*no-such-tag.*--unshallow"):
        extract(Version("0.9", "no-such-tag"), tmp_path)


def test_the_recorded_versions_are_commits() -> None:
    """Each has a name of its own, which tables and pictures show."""
    versions = recorded()
    assert versions
    assert len({one.name for one in versions}) == len(versions)
