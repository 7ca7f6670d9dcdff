"""Events that may be what the process dies of are attempted one at a time: see `processor/hookline_processor/retry.py`."""

from collections.abc import Callable
from typing import Final

from hookline_processor.partition.lanes import Lane
from hookline_shared.clock import Cancellable, Clock

_LONGEST_STAY_S: Final = 60.0
"""How long one keeps the others from entering: a plain function without a time-out may never end."""


class Quarantine:
    """Lets one lane in; those that come meanwhile are called again when it is left."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._inside: Lane | None = None
        self._ends: Cancellable | None = None
        self._waiting: dict[Lane, Callable[[Lane], None]] = {}

    def enter(self, lane: Lane, come_again: Callable[[Lane], None]) -> bool:
        """Whether `lane` may go on. If not, `come_again(lane)` is called when it may try once more."""
        if self._inside is not None:
            self._waiting[lane] = come_again
            return False
        self._inside = lane
        self._ends = self._clock.call_later(_LONGEST_STAY_S, lambda: self.leave(lane))
        return True

    def leave(self, lane: Lane) -> None:
        """End the stay of `lane`, inside or waiting; of no effect if it is neither."""
        self._waiting.pop(lane, None)
        if self._inside is not lane:
            return
        if self._ends is not None:
            self._ends.cancel()
        self._inside = None
        waiting, self._waiting = self._waiting, {}
        for other, come_again in waiting.items():
            come_again(other)
