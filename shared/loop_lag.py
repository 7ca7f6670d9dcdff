"""By how much the event loop was late, at each of its latest heartbeats."""

from collections import deque
from typing import Final

from shared.metrics import LOOP_LAG_SECONDS

_KEPT: Final = 300
"""Heartbeats."""
_SHOWN_S: Final = 15.0
"""About the time between two scrapes: a shorter lag than that must show, too."""


class LoopLag:
    """Remembers lags; the metric shows the worst of the latest."""

    def __init__(self) -> None:
        self._lags: deque[tuple[float, float]] = deque(maxlen=_KEPT)
        self._latest = 0.0
        LOOP_LAG_SECONDS.set_function(lambda: self.worst(_SHOWN_S))

    def note(self, lag_s: float, now: float) -> None:
        """Take note of a lag at monotonic time `now`, both in seconds."""
        self._latest = now
        self._lags.append((now, lag_s))

    def worst(self, within_s: float) -> float:
        """Give the longest lag within the last so many seconds before the latest heartbeat."""
        return max((lag for at, lag in self._lags if at > self._latest - within_s), default=0.0)


LOOP_LAG: Final = LoopLag()
