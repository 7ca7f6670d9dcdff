"""The handler under test: it does what the peers' jobs do."""

from bench.peers import work
from hookline import Context, Handlers, MessageReceived

handlers = Handlers()


@handlers.on("message.received")
async def handle(event: MessageReceived, _context: Context) -> None:
    """Run the job of the message."""
    await work.run(int(event.message_sid[-8:], base=16))
