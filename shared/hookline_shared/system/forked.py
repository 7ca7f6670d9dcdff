"""Child processes that the user's code forks from a service, by `os.fork` or multiprocessing.

A forked process is a copy of the service, up to the file descriptors. Without precautions:

- A signal to the child would be one to the service: its handler writes into a socket that both processes share, and the event
  loop of the service reads it. `Process.terminate()` would stop the service, and not the child.
- A child that outlives the service would keep its ports open, so that the service could not start again.
- A child whose code returns instead of exiting would go on as a second service, on the same connections.

A program that the child executes is none of this: Python closes descriptors then, and the system resets signals.
"""

import os
import signal
import sys
import threading
import traceback
from contextlib import suppress
from functools import cache
from typing import Final

_ports: Final[dict[int, int]] = {}
"""The file descriptors of the sockets on which this process listens, with their inodes."""
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_masks: Final = threading.local()
_forked = False


@cache
def separate_children() -> None:
    """Once: make the children that are forked from now on processes of their own."""
    os.register_at_fork(before=_block_signals, after_in_parent=_restore_signals, after_in_child=_separate)


def close_in_children(fd: int) -> None:
    """Close the socket `fd` in the children that are forked from now on, unless another file has its number by then."""
    _ports[fd] = os.fstat(fd).st_ino


def end_if_forked(error: BaseException | None = None) -> None:
    """End this process if it was forked: its code has come to an end, which raised `error`, if that is given."""
    if not _forked:
        return
    code = 0 if error is None else 1
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        sys.stderr.write("".join(traceback.format_exception(error)))
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _block_signals() -> None:
    """Let signals to the child wait until it has its own handlers: it may be killed as soon as it is there."""
    _masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _restore_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _masks.before)


def _separate() -> None:
    global _forked  # noqa: PLW0603 - it is a fact about the process
    _forked = True
    with suppress(ValueError, OSError):  # where Python has been embedded, signals are not ours
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
    _restore_signals()
    for fd, inode in _ports.items():
        with suppress(OSError):
            if os.fstat(fd).st_ino == inode:
                os.close(fd)
