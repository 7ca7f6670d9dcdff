"""What the processor does without any handlers of the user's: it says what came, and settles it."""

from hookline_processor.api.context import Context
from hookline_processor.api.handlers import Handlers
from hookline_processor.events.webhook_event import WebhookEvent


def log_only() -> Handlers:
    """Return handlers that log every event."""
    handlers = Handlers()

    @handlers.on("*")
    async def log(event: WebhookEvent, context: Context) -> None:
        context.logger.info("event settled without a handler", parameters=len(event.params), remedy="set PROCESSOR_HANDLERS")

    return handlers
