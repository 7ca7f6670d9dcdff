"""Statistics. Pure."""

from collections.abc import Sequence
from statistics import median

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """Median, minimum and maximum of repeated measurements."""

    median: float
    least: float
    greatest: float


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of `values`, at least one."""
    return Spread(median(values), min(values), max(values))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the percentile `share` (0 to 1) of `ordered` by nearest rank; 0 if there are no values."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
