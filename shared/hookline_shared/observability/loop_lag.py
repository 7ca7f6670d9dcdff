"""By how much the event loop was late, at each of its latest heartbeats."""

from collections import deque
from typing import Final

from hookline_shared.observability.metrics import LOOP_LAG_SECONDS

LONGEST_WINDOW_S: Final = 3600.0
"""How long lags are remembered, in seconds: an alert cannot look further back."""
_SHOWN_S: Final = 15.0
"""About the time between two scrapes: a shorter lag than that must show, too."""


class LoopLag:
    """Remembers lags, for as long as a window may be; the metric shows the worst of the latest."""

    def __init__(self) -> None:
        self._lags: deque[tuple[float, float]] = deque()
        """When and how long, but for those that a later one is as long as: so each is longer than all after it."""
        self._latest = 0.0
        LOOP_LAG_SECONDS.set_function(lambda: self.worst(_SHOWN_S))

    def note(self, lag_s: float, now: float) -> None:
        """Take note of a lag at monotonic time `now`, both in seconds."""
        self._latest = now
        while self._lags and self._lags[-1][1] <= lag_s:
            self._lags.pop()
        self._lags.append((now, lag_s))
        while self._lags[0][0] <= now - LONGEST_WINDOW_S:
            self._lags.popleft()

    def worst(self, within_s: float) -> float:
        """Return the longest lag within the last so many seconds before the latest heartbeat."""
        return next((lag for at, lag in self._lags if at > self._latest - within_s), 0.0)


LOOP_LAG: Final = LoopLag()
