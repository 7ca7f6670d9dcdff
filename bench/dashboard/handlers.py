"""The handlers of the run: they take as long as one that asks a database, and messages fail while a file lies there."""

import asyncio
import os
import random
from typing import Final

from hookline import Context, Handlers, MessageReceived, MessageStatus

BROKEN_VARIABLE: Final = "BENCH_BROKEN"
"""Names the file."""

_BROKEN: Final = os.environ.get(BROKEN_VARIABLE, "")
_SLOWEST_S: Final = 0.03

handlers = Handlers()


@handlers.on("message.received")
async def answer(_event: MessageReceived, _context: Context) -> None:
    """Answer a message, or fail."""
    await asyncio.sleep(random.random() * _SLOWEST_S)
    if os.path.exists(_BROKEN):  # noqa: PTH110, ASYNC240 - the quickest question there is
        raise KeyError("ProfileName")


@handlers.on("message.status")
async def follow(_event: MessageStatus, _context: Context) -> None:
    """Note a status."""
    await asyncio.sleep(random.random() * _SLOWEST_S)
