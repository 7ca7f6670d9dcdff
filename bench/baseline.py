"""Compare ratios with those of an earlier run to detect regressions. Absolute figures depend on the machine.

The ratios are per second of CPU time, which other programs on the same cores disturb least.
"""

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import msgspec

from bench.drain.comparisons import HOOKLINE
from bench.errors import BenchError
from bench.report.figures import INGRESS, cpu_ratios
from bench.report.report import Report

BASELINE: Final = Path(__file__).with_name("baseline.json")
_TOLERATED: Final = 0.15


class NoBaselineError(BenchError):
    """There is no baseline."""

    def __init__(self) -> None:
        super().__init__(
            "There is no bench/baseline.json to compare with. Make one from a run on this machine before the change: "
            ".venv/bin/python -m bench --only ingress --only peers --keep"
        )


class Fall(NamedTuple):
    """A ratio that is lower than in the baseline."""

    name: str
    before: float
    now: float

    def __str__(self) -> str:
        return f"{self.name}: {self.now:.2f}, which was {self.before:.2f}: a fall of {1 - self.now / self.before:.0%}"


def ratios_of(report: Report) -> dict[str, float]:
    """Return the median of each ratio that the report has."""
    ratios: dict[str, list[float]] = {}
    if report.ingress:
        ours = report.ingress.of(INGRESS)
        ratios |= {
            f"ingress / {one.name}": cpu_ratios(ours, one.rounds)
            for one in report.ingress.served
            if not one.name.startswith(INGRESS)  # its other durabilities are no peers: when they gain, nothing has fallen
        }
    if report.peers:
        drains = report.peers.of(HOOKLINE)
        ratios |= {
            f"processor / {one.name}": cpu_ratios(drains, one.rounds) for one in report.peers.drains if one.name != HOOKLINE
        }
    return {name: round(median(values), 3) for name, values in ratios.items() if values}


def write(report: Report) -> None:
    """Save the ratios of `report` as the baseline."""
    BASELINE.write_bytes(msgspec.json.format(msgspec.json.encode(ratios_of(report))) + b"\n")


def read() -> dict[str, float]:
    """Return the ratios of the baseline.

    Raises:
        NoBaselineError: if there are none.

    """
    try:
        return msgspec.json.decode(BASELINE.read_bytes(), type=dict[str, float])
    except FileNotFoundError:
        raise NoBaselineError from None


def falls(report: Report, before: Mapping[str, float]) -> list[Fall]:
    """Return the ratios that fell by more than 15 % since `before`; ratios that are missing on one side are not compared."""
    now = ratios_of(report)
    common = [Fall(name, before[name], now[name]) for name in before if name in now]
    return [fall for fall in common if fall.now < (1 - _TOLERATED) * fall.before]
