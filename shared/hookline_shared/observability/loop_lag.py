"""The lag of the event loop at its latest heartbeats."""

from collections import deque
from typing import Final

from hookline_shared.observability.metrics import LOOP_LAG_SECONDS

LONGEST_WINDOW_S: Final = 3600.0
"""The time for which lags are kept, in seconds: the longest window of an alert."""
_SHOWN_S: Final = 15.0
"""About the interval of scrapes, so that the metric has every lag."""


class LoopLag:
    """Keeps the lags of the longest window; the metric is the worst one of the last seconds."""

    def __init__(self) -> None:
        self._lags: deque[tuple[float, float]] = deque()
        """Time and length of the lags, without those followed by one as long: each is longer than all after it."""
        self._latest = 0.0
        LOOP_LAG_SECONDS.set_function(lambda: self.worst(_SHOWN_S))

    def record(self, lag_s: float, now: float) -> None:
        """Record a lag at monotonic time `now`, both in seconds."""
        self._latest = now
        while self._lags and self._lags[-1][1] <= lag_s:
            self._lags.pop()
        self._lags.append((now, lag_s))
        while self._lags[0][0] <= now - LONGEST_WINDOW_S:
            self._lags.popleft()

    def worst(self, within_s: float) -> float:
        """Return the longest lag within the last `within_s` seconds before the latest heartbeat."""
        return next((lag for at, lag in self._lags if at > self._latest - within_s), 0.0)


LOOP_LAG: Final = LoopLag()
