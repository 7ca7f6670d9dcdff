"""The time for which the owner of a partition trusts its lease."""

import asyncio
from collections.abc import Callable
from math import inf

from hookline_shared.clock import Cancellable, Clock


class Trust:
    """Valid until the monotonic time that `renew` gives; then `expired` is called. `event` is set while it is valid."""

    def __init__(self, clock: Clock, expired: Callable[[], None]) -> None:
        self._clock = clock
        self._expired = expired
        self._until = -inf
        self._timer: Cancellable | None = None
        self.event = asyncio.Event()

    def renew(self, until: float) -> None:
        """Trust the lease until `until`, in monotonic seconds."""
        self.end()
        self._until = until
        self._timer = self._clock.call_later(until - self._clock.monotonic(), self._expire)
        self.event.set()

    def end(self) -> None:
        """Do not call `expired` any more."""
        if self._timer is not None:
            self._timer.cancel()

    def is_valid(self) -> bool:
        """Whether the lease is trusted now."""
        return self._clock.monotonic() < self._until

    def _expire(self) -> None:
        self.event.clear()
        self._expired()
