"""The clock is handed in, sleeping included, so that tests turn it by hand."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Cancellable(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """Never make it."""
        ...


class Clock(Protocol):
    """Where the time comes from."""

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Cancellable:
        """Call `callback` from the event loop in `seconds`, unless what this gives is cancelled before."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        return time.time_ns() // 1_000_000

    monotonic = staticmethod(time.perf_counter)
    """Seconds since some fixed moment; never goes back. The function itself: it is asked ten times for each webhook."""

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Cancellable:
        """Call `callback` from the event loop in `seconds`, unless what this gives is cancelled before."""
        return asyncio.get_running_loop().call_later(seconds, callback)


def utc(unix_ms: int, precision: str = "milliseconds") -> str:
    """Write Unix time in milliseconds as ISO 8601 in UTC, for people; `precision` is "milliseconds" or "seconds"."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec=precision).replace("+00:00", "Z")
