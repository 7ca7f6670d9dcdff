"""Rate limiting with GCRA, the generic cell rate algorithm: a leaky bucket whose state is one number. Pure.

A meter holds the time at which its bucket will be empty (the "theoretical arrival time"). Each event moves that time on by
1 / rate; its distance from now is the level of the bucket. Source: ITU-T I.371, annex A.
"""

from itertools import islice
from math import ceil
from typing import Final, NamedTuple

import msgspec

_PORTION: Final = 20
"""A key is exchanged once 1/20 of its burst was counted. Other processes need not know of each key with a single event."""
_MOST: Final = 2.0
"""The highest level, in bursts, so that a key is below its limit again within a bounded time after a flood."""
_MOST_AT_ONCE: Final = 1000
"""Meters in one exchange: 10 000 would block the event loop, and so requests, for some 0.1 s."""


class Rate(NamedTuple):
    """The sustained rate in events per second, and the burst in events. A rate of 0 means no limit."""

    per_second: float
    burst: int


class Meter(msgspec.Struct, gc=False):
    """The bucket of one key. `taken` counts the events since the last exchange with other processes."""

    rate: Rate
    empty_at: float = 0.0
    taken: int = 0
    above: bool = False

    def level(self, now: float) -> float:
        """Return the number of events in the bucket at monotonic time `now` in seconds."""
        return max(0.0, self.empty_at - now) * self.rate.per_second

    def take(self, now: float) -> bool:
        """Count one event; return whether the key is above its rate.

        It stays above until its bucket is empty. Otherwise a key right at its limit would alternate between the two states.
        """
        self.taken += 1
        if self.empty_at <= now:
            self.empty_at = now + 1 / self.rate.per_second
            self.above = False
        else:
            self.adopt(self.level(now) + 1, now)
        return self.above

    def adopt(self, level: float, now: float) -> None:
        """Set the level at monotonic time `now` in seconds."""
        rate = self.rate
        self.empty_at = now + min(level, _MOST * rate.burst) / rate.per_second
        self.above = level > rate.burst or (self.above and level > 0)

    def drop_leaked(self, now: float) -> None:
        """Reduce `taken` to what can still be in the bucket, as if the rest had been exchanged in time.

        Otherwise all events of an outage would count as of one moment, and a sender far below its rate would be above it.
        """
        self.taken = min(self.taken, ceil(self.level(now)))


class Meters:
    """A meter for each key, at most `most` of them, among them those of the half as many keys that were used last.

    They are in two generations, and the older one is dropped as a whole: an order by use would have to be kept all the time.
    `is_empty` is whether there is none.
    """

    def __init__(self, most: int) -> None:
        self.is_empty = True
        self._half = most // 2
        self._recent: dict[str, Meter] = {}
        self._older: dict[str, Meter] = {}
        self._due: dict[str, Meter] = {}

    def __len__(self) -> int:
        return len(self._recent) + len(self._older)

    def get(self, key: str) -> Meter | None:
        """Return the meter of `key`, if there is one."""
        return self._recent.get(key) or self._older.get(key)

    def take(self, key: str, rate: Rate, now: float) -> bool:
        """Count one event of `key`; return whether it is above `rate`."""
        meter = self._recent.get(key)
        if meter is None:
            meter = self._older.pop(key, None) or Meter(rate)
            if len(self._recent) >= self._half:
                self._begin_generation()
            self._recent[key] = meter
            self.is_empty = False
        above = meter.take(now)
        if meter.taken * _PORTION >= rate.burst:
            self._due[key] = meter
        return above

    def _begin_generation(self) -> None:
        self._older, self._recent = self._recent, {}
        self._due = {key: meter for key, meter in self._due.items() if key in self._older}

    def due(self) -> dict[str, Meter]:
        """Remove and return the meters to exchange: those with a good part of a burst since their last exchange.

        If there are too many, those that have waited longest are returned, and the others the next time.
        """
        keys = list(islice(self._due, _MOST_AT_ONCE))
        return {key: self._due.pop(key) for key in keys}

    def put_back(self, key: str, meter: Meter, now: float) -> None:
        """Return `meter` the next time again, since its exchange failed, unless nothing of it is left in the bucket."""
        meter.drop_leaked(now)
        if meter.taken and self.get(key) is meter:
            self._due[key] = meter

    def forget_idle(self, now: float) -> None:
        """Drop the meters that are empty."""
        self._recent, self._older, self._due = (
            {key: meter for key, meter in meters.items() if meter.empty_at > now}
            for meters in (self._recent, self._older, self._due)
        )
        self.is_empty = not (self._recent or self._older)
