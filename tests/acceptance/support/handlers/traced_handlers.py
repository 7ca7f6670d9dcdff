"""Handlers with instrumentation of their own, as a user's libraries would have it."""

from opentelemetry import trace

from hookline import Context, Handlers, MessageReceived, MessageStatus

handlers = Handlers()
tracer = trace.get_tracer("the user's")  # before there is a provider, as at the top of many a library


@handlers.on("message.received")
async def look_up(event: MessageReceived, context: Context) -> None:
    """Fail once, inside of a span."""
    with tracer.start_as_current_span("look up"):
        context.logger.info("looking up")
        if context.attempt == 1:
            raise LookupError(f"nothing about {event.body!r} of {event.from_}")


@handlers.on("message.status")
def note(event: MessageStatus, context: Context) -> None:
    """Make a span in a thread."""
    tracer.start_span("note").end()
