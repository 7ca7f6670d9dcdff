"""The signal handlers of a service before it has its own."""

import os
import signal
from types import FrameType
from typing import Final

_EXIT_OK: Final = 0


def exit_on_signal() -> None:
    """End the process at SIGTERM and SIGINT, until the service installs its own handlers.

    That is the default for every process except process 1 of a container, to which the kernel delivers no signal without a
    handler. If it is stopped while it still imports, it would continue, and be killed after the grace period. Nothing has been
    opened or accepted by then, so there is nothing to finish.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)


def _exit(_number: int, _frame: FrameType | None) -> None:
    os._exit(_EXIT_OK)
