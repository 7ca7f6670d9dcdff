"""Handlers for the webhooks that Twilio sends."""

from hookline import (
    CallReceived,
    CallStatus,
    Context,
    Handlers,
    MessageReceived,
    MessageStatus,
)

handlers = Handlers()


@handlers.on(MessageReceived)
async def answer(event: MessageReceived, context: Context) -> None:
    """Handle a message. If this raises an exception, it runs again later."""
    print(f"{event.from_} says: {event.body}", flush=True)


@handlers.on(MessageStatus)
async def log_status(event: MessageStatus, context: Context) -> None:
    """Log the new status of a message that was sent."""
    context.logger.info("message status", status=event.message_status)


handlers.ignore(CallReceived, CallStatus)
