"""What happens with each webhook of Twilio."""

from hookline import Context, Handlers, MessageReceived, MessageStatus

handlers = Handlers()


@handlers.on("message.received")
async def answer(event: MessageReceived, context: Context) -> None:
    """Do here what takes time: ask a database, call an API, send an answer. What raises is tried again."""
    print(f"{event.from_} says: {event.body}", flush=True)


@handlers.on("message.status")
async def follow(event: MessageStatus, context: Context) -> None:
    """Note what became of a message that was sent."""
    context.logger.info("message status", status=event.message_status)


handlers.ignore("call.received", "call.status")
