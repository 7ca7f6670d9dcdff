"""Suspects, events that may crash the process, are attempted one at a time: see `hookline_processor/retry.py`."""

from collections.abc import Callable
from typing import Final

from hookline_processor.partition.lanes import Lane
from hookline_shared.clock import Cancellable, Clock

_MAX_STAY_S: Final = 60.0
"""How long one lane keeps the others out: a plain function without a time-out may never end."""


class Quarantine:
    """Admits one lane at a time. Lanes that come meanwhile are resumed when it leaves."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._occupant: Lane | None = None
        self._stay_timer: Cancellable | None = None
        self._waiting: dict[Lane, Callable[[Lane], None]] = {}

    def enter(self, lane: Lane, resume: Callable[[Lane], None]) -> bool:
        """Whether `lane` is admitted. If not, `resume(lane)` is called when it may try again."""
        if self._occupant is not None:
            self._waiting[lane] = resume
            return False
        self._occupant = lane
        self._stay_timer = self._clock.call_later(_MAX_STAY_S, lambda: self.leave(lane))
        return True

    def leave(self, lane: Lane) -> None:
        """Remove `lane`, admitted or waiting. Do nothing if it is neither."""
        self._waiting.pop(lane, None)
        if self._occupant is not lane:
            return
        if self._stay_timer is not None:
            self._stay_timer.cancel()
        self._occupant = None
        waiting, self._waiting = self._waiting, {}
        for other, resume in waiting.items():
            resume(other)
