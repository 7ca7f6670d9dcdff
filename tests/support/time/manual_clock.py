"""A clock that only a test advances."""

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Final

_START_MS: Final = 1_750_000_000_000
_TURNS: Final = 10
"""How often the event loop turns after each wake-up, so that whoever woke can go on and sleep again. I/O takes longer: wait
for it with `tests.support.waiting`."""


class _Alarm:
    """A call that is due at `at`, in monotonic seconds."""

    def __init__(self, at: float, order: int, ring: Callable[[], None]) -> None:
        self.at = at
        self.ring = ring
        self.cancelled = False
        self._order = order

    def __lt__(self, other: "_Alarm") -> bool:
        return (self.at, self._order) < (other.at, other._order)

    def cancel(self) -> None:
        """Never make the call."""
        self.cancelled = True


class ManualClock:
    """A `Clock` on which time passes only in `advance`. Sleepers wake, and calls are made, as they become due."""

    def __init__(self, now_ms: int = _START_MS) -> None:
        self._start_ms = now_ms
        self._elapsed_s = 0.0
        self._alarms: list[_Alarm] = []
        self._order = count()
        self._changed = asyncio.Event()

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        return self._start_ms + round(self._elapsed_s * 1000)

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed_s

    @property
    def waiting(self) -> int:
        """How many sleepers and calls are still to come."""
        return sum(not alarm.cancelled for alarm in self._alarms)

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was turned by `seconds`."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        alarm = self._set(seconds, lambda: None if woken.done() else woken.set_result(None))
        try:
            await woken
        finally:
            alarm.cancel()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> _Alarm:
        """Call `callback` once the clock was turned by `seconds`, unless the returned handle is cancelled before."""
        return self._set(seconds, callback)

    async def wait_for_sleepers(self, number: int = 1) -> None:
        """Wait until at least `number` sleepers and calls are still to come."""
        while self.waiting < number:
            self._changed.clear()
            await self._changed.wait()

    async def advance(self, seconds: float) -> None:
        """Turn the clock by `seconds`, stopping at each moment at which something is due; sleeps begun on the way count."""
        target = self._elapsed_s + seconds
        await _turn_loop()
        while self._alarms and self._alarms[0].at <= target:
            alarm = heapq.heappop(self._alarms)
            if not alarm.cancelled:
                self._elapsed_s = max(self._elapsed_s, alarm.at)
                alarm.ring()
                await _turn_loop()
        self._elapsed_s = target

    def _set(self, seconds: float, ring: Callable[[], None]) -> _Alarm:
        alarm = _Alarm(self._elapsed_s + max(0.0, seconds), next(self._order), ring)
        heapq.heappush(self._alarms, alarm)
        self._changed.set()
        return alarm


async def _turn_loop() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)
