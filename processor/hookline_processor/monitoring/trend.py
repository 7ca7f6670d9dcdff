"""The recent trend of a value, and the time until it reaches a limit. Pure."""

from collections import deque
from math import inf
from typing import Final

_MIN_SAMPLES: Final = 3
"""With two samples every small change would be a trend."""


class Trend:
    """The samples of the last `window_s` seconds."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._samples: deque[tuple[float, float]] = deque()

    def add(self, at: float, value: float) -> None:
        """Add `value` at monotonic time `at`, in seconds."""
        self._samples.append((at, value))
        while self._samples[0][0] < at - self._window_s and len(self._samples) > _MIN_SAMPLES:
            self._samples.popleft()

    def slope(self) -> float:
        """Return the change per second by least squares, or 0 if there are too few samples."""
        number = len(self._samples)
        if number < _MIN_SAMPLES:
            return 0.0
        middle = sum(at for at, _ in self._samples) / number
        mean = sum(value for _, value in self._samples) / number
        spread = sum((at - middle) ** 2 for at, _ in self._samples)
        return sum((at - middle) * (value - mean) for at, value in self._samples) / spread if spread else 0.0

    def seconds_to(self, limit: float) -> float:
        """Return the seconds until the trend reaches `limit`, or infinity if it does not rise."""
        slope = self.slope()
        latest = self._samples[-1][1] if self._samples else 0.0
        return max(0.0, limit - latest) / slope if slope > 0 else inf
