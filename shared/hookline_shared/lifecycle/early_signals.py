"""What a signal does to a service that has not got as far as to look for signals."""

import os
import signal
from types import FrameType
from typing import Final

_EXIT_OK: Final = 0


def leave_at_once() -> None:
    """End the process, from now on, at SIGTERM and SIGINT, until the service itself looks for them.

    Any process but one would do so by itself. To process 1 of a container the kernel delivers no signal that it has no handler
    for: one that is stopped while it still imports would run on, and be killed when the time for stopping is over. Nothing has
    been opened or accepted by then, so there is nothing to finish.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(_EXIT_OK)
