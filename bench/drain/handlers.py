"""The handlers that the processor is measured with."""

import asyncio
from typing import Final

from hookline import Context, Handlers, MessageReceived

_ONE_IN: Final = 101  # a prime, so that the failures spread over all conversations
_WORK_S: Final = 0.005

noop = Handlers()
five_ms = Handlers()
failing = Handlers()


class NotYet(Exception):
    """What one event in a hundred raises at its first attempt."""


@noop.on("message.received")
async def do_nothing(_event: MessageReceived, _context: Context) -> None:
    """Return at once."""


@five_ms.on("message.received")
async def wait_five_ms(_event: MessageReceived, _context: Context) -> None:
    """Return after 5 ms."""
    await asyncio.sleep(_WORK_S)


@failing.on("message.received")
async def fail_sometimes(event: MessageReceived, context: Context) -> None:
    """Fail at the first attempt of one event in a hundred, else return at once."""
    if context.attempt == 1 and int(event.message_sid[-8:], base=16) % _ONE_IN == 0:
        raise NotYet
