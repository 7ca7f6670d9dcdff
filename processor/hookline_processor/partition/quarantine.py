"""Suspects, events that may crash the process, are attempted one at a time: see `hookline_processor/retry_record.py`."""

from typing import Final

from hookline_processor.partition.lanes import Lane
from hookline_shared.clock import Cancellable, Clock

_MAX_STAY_S: Final = 60.0
"""How long one lane keeps the others out: a plain function without a time-out may never end."""
RETURN_AFTER_MS: Final = 500
"""When a lane that was not admitted asks again."""


class Quarantine:
    """Admits one lane at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._occupant: Lane | None = None
        self._stay_timer: Cancellable | None = None

    def enter(self, lane: Lane) -> bool:
        """Whether `lane` is admitted. If not, it may ask again in `RETURN_AFTER_MS`."""
        if self._occupant is not None:
            return False
        self._occupant = lane
        self._stay_timer = self._clock.call_later(_MAX_STAY_S, lambda: self.leave(lane))
        return True

    def leave(self, lane: Lane) -> None:
        """Remove `lane`. Do nothing if it was not admitted."""
        if self._occupant is not lane:
            return
        if self._stay_timer is not None:
            self._stay_timer.cancel()
        self._occupant = None
