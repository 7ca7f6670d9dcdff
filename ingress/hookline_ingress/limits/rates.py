"""How much of something comes from whom: GCRA, the generic cell rate algorithm, a leaky bucket that is one number. Pure.

A meter holds the moment at which its bucket will be empty (the "theoretical arrival time"). Each event moves it on by the time
that one event may take; how far it lies ahead of now is the level of the bucket. Source: ITU-T I.371, annex A.
"""

from itertools import islice
from math import ceil
from typing import Final, NamedTuple

_PORTION: Final = 20
"""Of a burst: what one process may keep to itself. Others need not know of everybody who writes once."""
_MOST: Final = 2.0
"""Bursts: a level does not rise further, so that after a flood somebody is back to normal in a bounded time."""
_MOST_AT_ONCE: Final = 1000
"""Meters told in one exchange: 10 000 would hold up the event loop, and requests, for some 0.1 s."""


class Rate(NamedTuple):
    """Events per second, in the long run, and how many may come at once. A rate of 0 is no limit."""

    per_second: float
    burst: int


class Meter:
    """The bucket of one key. `taken` is what came since the last exchange with other processes."""

    __slots__ = ("above", "empty_at", "rate", "taken")

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.empty_at = 0.0
        self.taken = 0
        self.above = False

    def level(self, now: float) -> float:
        """Return how many events lie in the bucket at `now`, seconds on any clock that never goes back."""
        return max(0.0, self.empty_at - now) * self.rate.per_second

    def take(self, now: float) -> bool:
        """Count one event; return whether the key is above its rate.

        It stays above until its bucket is empty: whoever sends right at the limit would otherwise flap between two treatments.
        """
        self.taken += 1
        if self.empty_at <= now:
            self.empty_at = now + 1 / self.rate.per_second
            self.above = False
        else:
            self.adopt(self.level(now) + 1, now)
        return self.above

    def adopt(self, level: float, now: float) -> None:
        """Take `level` for true at `now`."""
        rate = self.rate
        self.empty_at = now + min(level, _MOST * rate.burst) / rate.per_second
        self.above = level > rate.burst or (self.above and level > 0)

    def forget_leaked(self, now: float) -> None:
        """Leave of what is to be told only what can still lie in the bucket, as if the rest had been told in its time.

        After an outage, all of it would count as of one moment, and a sender far below its rate would be above it.
        """
        self.taken = min(self.taken, ceil(self.level(now)))


class Meters:
    """A meter for each key, `most` of them; beyond that, the one that was used longest ago goes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._meters: dict[str, Meter] = {}
        self._due: dict[str, Meter] = {}

    def __len__(self) -> int:
        return len(self._meters)

    def get(self, key: str) -> Meter | None:
        """Return the meter of `key`, if there is one."""
        return self._meters.get(key)

    def take(self, key: str, rate: Rate, now: float) -> bool:
        """Count one event of `key`; return whether it is above `rate`."""
        meters = self._meters
        meter = meters.pop(key, None)
        if meter is None:
            meter = Meter(rate)
            if len(meters) >= self._most:
                self._forget(next(iter(meters)))
        meters[key] = meter  # last: a dict keeps the order in which its keys came
        above = meter.take(now)
        if meter.taken * _PORTION >= rate.burst:
            self._due[key] = meter
        return above

    def due(self) -> dict[str, Meter]:
        """Return the meters of which others should know, those that took a good part of a burst since they last did.

        Each is given once. Where there are many, those that wait longest are; the others are the next time.
        """
        keys = list(islice(self._due, _MOST_AT_ONCE))
        return {key: self._due.pop(key) for key in keys}

    def still_due(self, key: str, meter: Meter, now: float) -> None:
        """Give `meter` again the next time, since others did not learn of it, unless by then there is nothing to tell."""
        meter.forget_leaked(now)
        if meter.taken and self._meters.get(key) is meter:
            self._due[key] = meter

    def forget_idle(self, now: float) -> None:
        """Drop the meters that are empty."""
        idle = [key for key, meter in self._meters.items() if meter.empty_at <= now]
        for key in idle:
            self._forget(key)

    def _forget(self, key: str) -> None:
        del self._meters[key]
        self._due.pop(key, None)
