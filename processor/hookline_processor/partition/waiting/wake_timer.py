"""A timer that sets an event, for a task that waits for it."""

import asyncio
from math import inf

from hookline_shared.clock import Cancellable, Clock


class WakeTimer:
    """Sets `event` at the earliest time that was asked for, and at most once for each."""

    def __init__(self, event: asyncio.Event, clock: Clock) -> None:
        self._event = event
        self._clock = clock
        self._timer: Cancellable | None = None
        self._at = inf

    def wake_in(self, seconds: float) -> None:
        """Set the event in `seconds`, at once if that is below 0, or earlier if that was asked for before."""
        seconds = max(0.0, seconds)
        at = self._clock.monotonic() + seconds
        if self._timer is not None:
            if self._at <= at:
                return
            self._timer.cancel()
        self._at = at
        self._timer = self._clock.call_later(seconds, self._fire)

    def stop(self) -> None:
        """Do not set the event any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _fire(self) -> None:
        self._timer = None
        self._event.set()
