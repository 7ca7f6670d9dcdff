"""The growth of counters within a sliding window. Pure."""

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import accumulate


class SlidingWindow:
    """The growth of counters within the last `window_s` seconds, as precise as the interval between calls."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._seen: deque[tuple[float, Sequence[float]]] = deque()

    def grown(self, counts: Sequence[float], now: float) -> list[float]:
        """Add `counts` at monotonic time `now`, and return the growth of each within the window."""
        self._seen.append((now, tuple(counts)))
        while len(self._seen) > 1 and self._seen[1][0] <= now - self._window_s:
            self._seen.popleft()
        return [count - before for count, before in zip(counts, self._seen[0][1], strict=True)]


class SlidingWindows:
    """The same for several subjects. A subject that appears after the first call started at zero."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._windows: dict[str, SlidingWindow] = {}
        self._looked_at: float | None = None

    def grown(self, counts: Mapping[str, Sequence[float]], now: float) -> dict[str, list[float]]:
        """Add the `counts` of each subject at monotonic time `now`, and return their growth within the window."""
        for subject in counts.keys() - self._windows.keys():
            window = self._windows[subject] = SlidingWindow(self._window_s)
            if self._looked_at is not None:
                window.grown([0] * len(counts[subject]), self._looked_at)
        self._looked_at = now
        return {subject: self._windows[subject].grown(count, now) for subject, count in counts.items()}


def quantile(bounds: Sequence[float], counts: Sequence[float], share: float, spared: int = 0) -> float:
    """Return the quantile `share`, from 0 to 1, of a histogram, by linear interpolation within the bucket.

    `counts` has one number for each of `bounds`, not cumulative, and one for larger values, which count as the last bound. The
    result is 0 for an empty histogram. The algorithm is that of histogram_quantile() in Prometheus, except that the `spared`
    largest values may always exceed the result, however few values there are.
    """
    total = sum(counts)
    rank = min(share * total, total - spared)
    if rank <= 0:
        return 0.0
    below = 0.0
    for lower, upper, count, up_to in zip((0.0, *bounds), bounds, counts, accumulate(counts), strict=False):
        if count and up_to >= rank:
            return lower + (upper - lower) * (rank - below) / count
        below = up_to
    return bounds[-1]


def proportion(part: float, whole: float, least: float = 1) -> float:
    """Return `part` as a share of `whole`, or 0 if `whole` is below `least`, which is too few to judge."""
    return part / whole if whole >= least else 0.0
