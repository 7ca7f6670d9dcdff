"""Statistics small enough to trust. Pure."""

from collections.abc import Sequence
from statistics import median

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """What repeated measurements say: the middle, the least and the greatest."""

    median: float
    least: float
    greatest: float


def spread(values: Sequence[float]) -> Spread:
    """Sum up `values`, of which there must be at least one."""
    return Spread(median(values), min(values), max(values))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of `ordered` lies, the nearest rank; 0 if there are no values."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
