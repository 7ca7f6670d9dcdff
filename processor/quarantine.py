"""Events that may be what the process dies of are attempted one at a time: see `processor/retry.py`. Pure of I/O."""

from collections.abc import Callable

from processor.lanes import Lane


class Quarantine:
    """Lets one lane in; those that come meanwhile are called again when it is left."""

    def __init__(self) -> None:
        self._inside: Lane | None = None
        self._waiting: dict[Lane, Callable[[Lane], None]] = {}

    def enter(self, lane: Lane, come_again: Callable[[Lane], None]) -> bool:
        """Tell whether `lane` may go on. If not, `come_again(lane)` is called when it may try once more."""
        if self._inside is None:
            self._inside = lane
            return True
        self._waiting[lane] = come_again
        return False

    def leave(self, lane: Lane) -> None:
        """End the stay of `lane`, inside or waiting; of no effect if it is neither."""
        self._waiting.pop(lane, None)
        if self._inside is lane:
            self._inside = None
            waiting, self._waiting = self._waiting, {}
            for other, come_again in waiting.items():
                come_again(other)
