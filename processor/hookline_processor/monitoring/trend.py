"""How a value has changed lately, and so when it will reach a limit. Pure."""

from collections import deque
from math import inf
from typing import Final

_LEAST: Final = 3
"""Samples; two of them would call every bump a trend."""


class Trend:
    """The samples of the last `window_s` seconds."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._samples: deque[tuple[float, float]] = deque()

    def add(self, at: float, value: float) -> None:
        """Take note of `value` at monotonic time `at`."""
        self._samples.append((at, value))
        while self._samples[0][0] < at - self._window_s and len(self._samples) > _LEAST:
            self._samples.popleft()

    def slope(self) -> float:
        """Return the change per second, by least squares; 0 while there are too few samples."""
        number = len(self._samples)
        if number < _LEAST:
            return 0.0
        middle = sum(at for at, _ in self._samples) / number
        mean = sum(value for _, value in self._samples) / number
        spread = sum((at - middle) ** 2 for at, _ in self._samples)
        return sum((at - middle) * (value - mean) for at, value in self._samples) / spread if spread else 0.0

    def seconds_to(self, limit: float) -> float:
        """Return the seconds until `limit` is reached if it goes on like this; infinite if it never is."""
        slope = self.slope()
        latest = self._samples[-1][1] if self._samples else 0.0
        return max(0.0, limit - latest) / slope if slope > 0 else inf
