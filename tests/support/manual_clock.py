"""A clock that tests turn by hand."""

import asyncio
import heapq
from collections.abc import Callable
from itertools import count


class Timer:
    """A call that is due later, unless it is cancelled before."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self._callback = None

    def fire(self) -> None:
        if self._callback is not None:
            self._callback()


class ManualClock:
    """Stands still until `advance` is called; then everything that falls due happens, in order of its time."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._start_ms = now_ms
        self._elapsed_s = 0.0
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = count()

    def now_ms(self) -> int:
        return self._start_ms + round(self._elapsed_s * 1000)

    def monotonic(self) -> float:
        return self._elapsed_s

    async def sleep(self, seconds: float) -> None:
        due = asyncio.Event()
        timer = self.call_later(seconds, due.set)
        try:
            await due.wait()
        finally:
            timer.cancel()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(callback)
        heapq.heappush(self._timers, (self._elapsed_s + seconds, next(self._order), timer))
        return timer

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass, giving every task that wakes a chance to run before the time goes on."""
        until = self._elapsed_s + seconds
        while self._timers and self._timers[0][0] <= until:
            self._elapsed_s, _, timer = heapq.heappop(self._timers)
            timer.fire()
            await settle()
        self._elapsed_s = until
        await settle()


async def settle() -> None:
    """Let every task run until all of them wait for something that only the outside can bring."""
    for _ in range(20):
        await asyncio.sleep(0)
