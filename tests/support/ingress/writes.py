"""Writing events, and waiting for what became of them."""

import asyncio

from hookline_ingress.writer import NotStored, Stored, Writer
from hookline_shared.event import Event


def write(writer: Writer, topic: str, event: Event) -> "asyncio.Future[Stored | NotStored]":
    """Write `event`; the future is done once it is stored, or cannot be."""
    done: asyncio.Future[Stored | NotStored] = asyncio.get_running_loop().create_future()
    writer.write(topic, event, done.set_result)
    return done
