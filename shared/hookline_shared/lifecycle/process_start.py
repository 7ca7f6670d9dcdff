"""What a service does before it imports anything else."""

import gc
import os
import signal
from types import FrameType
from typing import Final

_ALLOCATIONS_PER_COLLECTION: Final = 20_000
"""Allocations, less what is freed, between two runs of the garbage collector."""

_EXIT_OK: Final = 0


def prepare_process() -> None:
    """Prepare this process for the start of a service: handle signals, and collect no garbage during the imports."""
    _exit_on_signal()
    pause_collection()


def pause_collection() -> None:
    """Stop the garbage collector. Imports create hardly any garbage, and it takes a tenth of their time to find that out."""
    gc.disable()


def resume_collection() -> None:
    """Let the garbage collector run again, less often than by default, and without the objects that exist by now."""
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_PER_COLLECTION)
    gc.enable()


def _exit_on_signal() -> None:
    """End the process at SIGTERM and SIGINT, until the service installs its own handlers.

    That is the default for every process except process 1 of a container, to which the kernel delivers no signal without a
    handler. If it is stopped while it still imports, it would continue, and be killed after the grace period. Nothing has been
    opened or accepted by then, so there is nothing to finish.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)


def _exit(_number: int, _frame: FrameType | None) -> None:
    os._exit(_EXIT_OK)
