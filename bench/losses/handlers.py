"""The handler that is put to the test: it does what the peers' jobs do."""

from bench.peers import work
from hookline import Context, Handlers, MessageReceived

handlers = Handlers()


@handlers.on("message.received")
async def handle(event: MessageReceived, _context: Context) -> None:
    """Do the job that the message stands for."""
    await work.run(int(event.message_sid[-8:], base=16))
