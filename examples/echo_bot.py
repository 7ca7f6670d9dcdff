"""A bot that answers every message: hookline up --handlers examples.echo_bot:handlers."""

from hookline import Context, Handlers, MessageReceived

handlers = Handlers()


@handlers.on(MessageReceived)
async def echo(event: MessageReceived, _context: Context) -> str:
    """Answer with the same text."""
    return event.body or "I can read texts only."
