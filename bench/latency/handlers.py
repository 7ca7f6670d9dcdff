"""The handler that notes how long each webhook waited for it, in milliseconds, and writes all that down at the end."""

import os
import time
from pathlib import Path
from typing import Any

import msgspec

from hookline import Context, Handlers, MessageReceived

handlers = Handlers()
_waits: list[float] = []


@handlers.on("message.received")
async def note(event: MessageReceived, _context: Context) -> None:
    """Note the wait."""
    _waits.append(time.time() * 1000 - event.raw.received_at)


@handlers.on_shutdown
def write(_state: dict[str, Any]) -> None:
    """Write all waits to the file that BENCH_WAITS names."""
    Path(os.environ["BENCH_WAITS"]).write_bytes(msgspec.json.encode(_waits))
