"""What the rounds say: the ratio of each version's CPU time to that of another, and how certain it is. Pure."""

from collections.abc import Sequence
from math import comb
from statistics import median
from typing import Final, NamedTuple

from bench.errors import BenchError

_CERTAINTY: Final = 0.95


class Ratio(NamedTuple):
    """A median of ratios, and the ends of its 95 % interval; with fewer than six rounds the least and the greatest ratio."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


class Costs(NamedTuple):
    """Microseconds of CPU time for one webhook or event, by version, one per round. `unit` is what they are of."""

    unit: str
    by_version: dict[str, list[float]]

    def add(self, name: str, cpu_us: float | None) -> None:
        """Add a round of version `name`.

        Raises:
            BenchError: if this system does not tell the CPU time of a process.

        """
        if cpu_us is None:
            raise BenchError("Versions are compared by their CPU time, which only Linux tells of another process.")
        self.by_version[name].append(cpu_us)

    def median(self, name: str) -> float:
        """Return the median of a version."""
        return median(self.by_version[name])

    def ratio(self, name: str, to: str) -> Ratio:
        """Return the ratio of the cost of version `name` to that of version `to`, round by round."""
        return ratio([one / other for one, other in zip(self.by_version[name], self.by_version[to], strict=True)])


def ratio(ratios: Sequence[float]) -> Ratio:
    """Return the median of `ratios`, at least one, with the interval in which the true one is with 95 % certainty.

    The interval is between two of the ordered values, so it needs no assumption about how they are spread. Source:
    https://en.wikipedia.org/wiki/Sign_test.
    """
    ordered = sorted(ratios)
    cut = _cut(len(ordered))
    return Ratio(median(ordered), ordered[cut], ordered[-1 - cut])


def _cut(count: int) -> int:
    """Return how many of `count` ordered values to leave out at each end: the most for which the rest is certain enough."""
    cut, tail = 0, 0.0
    while 2 * (tail := tail + comb(count, cut) / 2**count) <= 1 - _CERTAINTY:
        cut += 1
    return max(0, cut - 1)
