"""The handler that the processor is measured with: it does nothing."""

from processor import Context, Handlers, MessageReceived

handlers = Handlers()


@handlers.on("message.received")
async def noop(_event: MessageReceived, _context: Context) -> None:
    """Be done at once."""
