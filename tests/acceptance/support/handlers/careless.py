"""Handlers that log and raise whatever they are given, in every way that comes to mind, as a careless programmer's would."""

import json
import logging
import warnings

import structlog

from hookline import Context, Handlers, MessageReceived, MessageStatus, Reject, RetryLater, WebhookEvent

handlers = Handlers()
postponed = set[str]()
library = logging.getLogger("a.library")


@handlers.on("message.received")
async def chatter(event: MessageReceived, context: Context) -> None:
    """Log all data, then do what the first word of the body says."""
    tell(event, context)
    await handle_somehow(event, context)


async def handle_somehow(event: MessageReceived, context: Context) -> None:
    """Fail in the way that the body asks for."""
    match event.body.partition(" ")[0]:
        case "reject":
            raise Reject(f"{event.body} by {spellings(event.from_)}")
        case "later" if event.id not in postponed:
            postponed.add(event.id)
            raise RetryLater(0.1)
        case "once" if context.attempt > 1:
            return
        case "done" | "later":
            return
    try:
        dict[bytes, None]()[event.raw.body]
    except KeyError as error:
        raise ValueError(f"{event.params} {event.body[:40]!r} {json.dumps(dict(event.params))} {error}") from error


@handlers.on("message.status")
def in_a_thread(event: MessageStatus, context: Context) -> None:
    """Log all data from a thread, then fail."""
    tell(event, context)
    raise RuntimeError(f"{event.raw} {spellings(event.params['To'])}" + "x" * 5000 + event.raw.target)


@handlers.on("*")
async def other(event: WebhookEvent, context: Context) -> None:
    """Log all data of any other kind, then fail."""
    tell(event, context)
    raise RuntimeError(f"{event.json} {event.raw.body!r} {event.raw.signature}")


def tell(event: WebhookEvent, context: Context) -> None:
    """Log what there is to log, by every logger."""
    params = dict(event.params)
    context.logger.info("got %s", params, body=event.raw.body, everything=params, details=[params, {"raw": event.raw}])
    context.logger.debug("numbers", texts=[spellings(value) for value in params.values()])
    structlog.get_logger().warning("by another logger", what=params)
    library.warning("%s and %r of %s", params, event.raw.body, spellings(params.get("From", "")))
    library.error("failed", exc_info=ValueError(params))
    warnings.warn(f"{params}", stacklevel=1)


def spellings(number: str) -> str:
    """Write a number, if it is one, in ways that are usual."""
    digits = number.rpartition("+")[2]
    if not digits.isdecimal():
        return number
    country, area, exchange, line = digits[:-10], digits[-10:-7], digits[-7:-4], digits[-4:]
    usual = f"{area} {exchange} {line}", f"({area}) {exchange}-{line}", f"{area}.{exchange}.{line}", area + exchange + line
    national = ", ".join((*usual, f"{exchange}-{line}", exchange + line))
    return f"+{digits}, {digits}, 00{digits}, %2B{digits}, +{country} {usual[0]}, +{country} {usual[1]}, {national}"
