"""The clock, sleeping included. It is passed in, so that tests can set the time."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Cancellable(Protocol):
    """A scheduled call."""

    def cancel(self) -> None:
        """Cancel the call."""
        ...


class Clock(Protocol):
    """The source of time."""

    def now_ms(self) -> int:
        """Return Unix time in milliseconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some fixed time; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Cancellable:
        """Call `callback` from the event loop in `seconds`, unless the returned call is cancelled before."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now_ms(self) -> int:
        """Return Unix time in milliseconds."""
        return time.time_ns() // 1_000_000

    monotonic = staticmethod(time.perf_counter)
    """Seconds since some fixed time; never goes back. The function itself, since each webhook calls it ten times."""

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Cancellable:
        """Call `callback` from the event loop in `seconds`, unless the returned call is cancelled before."""
        return asyncio.get_running_loop().call_later(seconds, callback)


def utc(unix_ms: int, precision: str = "milliseconds") -> str:
    """Return Unix time in milliseconds as ISO 8601 in UTC; `precision` is "milliseconds" or "seconds"."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec=precision).replace("+00:00", "Z")
