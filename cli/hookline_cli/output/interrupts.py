"""Let a command finish its current step after Ctrl-C."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def until_interrupted() -> Iterator[asyncio.Event]:
    """Yield an event that the first SIGINT or SIGTERM sets. The second one ends the process as usual."""
    loop = asyncio.get_running_loop()
    interrupted = asyncio.Event()

    def release() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)

    def interrupt() -> None:
        interrupted.set()
        release()

    for number in _SIGNALS:
        loop.add_signal_handler(number, interrupt)
    try:
        yield interrupted
    finally:
        release()
