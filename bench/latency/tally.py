"""Success over time: how many of the webhooks that were due in each second had a 2xx in time. Pure."""

from math import floor

from bench.latency.plan import Second


class Tally:
    """Counts webhooks 0 to `count` - 1, of which `rate` are due per second, by the second in which they were due.

    A webhook without an answer, or answered after `limit_s` seconds, is not a success.
    """

    def __init__(self, rate: float, count: int, limit_s: float) -> None:
        self._rate = rate
        self._limit_s = limit_s
        self._due = [0] * (self._second_of(count - 1) + 1)
        for number in range(count):
            self._due[self._second_of(number)] += 1
        self._in_time = [0] * len(self._due)
        self._failed = [0] * len(self._due)

    def accepted(self, number: int, after_s: float) -> None:
        """Count a 2xx, `after_s` seconds after the webhook was due."""
        self._in_time[self._second_of(number)] += after_s <= self._limit_s

    def failed(self, number: int) -> None:
        """Count another answer, or a lost connection."""
        self._failed[self._second_of(number)] += 1

    def by_second(self) -> list[Second]:
        """Return the counts."""
        counts = zip(self._due, self._in_time, self._failed, strict=True)
        return [Second(at_s, due, in_time, failed) for at_s, (due, in_time, failed) in enumerate(counts)]

    def _second_of(self, number: int) -> int:
        return floor(number / self._rate)
