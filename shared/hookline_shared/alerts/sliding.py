"""Looking at the latest part of what is only ever counted up. Pure."""

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import accumulate


class Sliding:
    """By how much counts have grown within the last `window_s` seconds, to the precision of how often it is asked."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._seen: deque[tuple[float, Sequence[float]]] = deque()

    def grown(self, counts: Sequence[float], now: float) -> list[float]:
        """Take note of `counts` at monotonic time `now`; gives the growth of each since the window began."""
        self._seen.append((now, tuple(counts)))
        while len(self._seen) > 1 and self._seen[1][0] <= now - self._window_s:
            self._seen.popleft()
        return [count - before for count, before in zip(counts, self._seen[0][1], strict=True)]


class SlidingEach:
    """The same for each of several subjects. One that comes up later than the first look began with nothing."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._windows: dict[str, Sliding] = {}
        self._looked_at: float | None = None

    def grown(self, counts: Mapping[str, Sequence[float]], now: float) -> dict[str, list[float]]:
        """Take note of the `counts` of each subject at monotonic time `now`; gives their growth since the window began."""
        for subject in counts.keys() - self._windows.keys():
            window = self._windows[subject] = Sliding(self._window_s)
            if self._looked_at is not None:
                window.grown([0] * len(counts[subject]), self._looked_at)
        self._looked_at = now
        return {subject: self._windows[subject].grown(count, now) for subject, count in counts.items()}


def quantile(bounds: Sequence[float], counts: Sequence[float], share: float, spared: int = 0) -> float:
    """Give the value that `share` of those in a histogram do not exceed, taking them to lie evenly in their bucket.

    `counts` has one for each of `bounds`, not cumulative, and one for what is above: that counts as the last bound. It is 0 if
    there are none. This is how histogram_quantile() in Prometheus comes to its answers. At least `spared` may exceed it,
    however few there are.
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
    """Give the share that `part` is of `whole`; 0 if the whole is less than `least`, too little to tell."""
    return part / whole if whole >= least else 0.0
