"""The handlers of the acceptance tests: they write down what they are given, and do as the message's body says.

One line for each attempt, appended with a single write to the file that HOOKLINE_TEST_RECORD names, so that it survives even
a SIGKILL right after it.
"""

import asyncio
import json
import os
import sys
import time

from processor import Context, Handlers, MessageReceived, MessageStatus, Reject, RetryLater, WebhookEvent

handlers = Handlers()

_FILE = os.open(os.environ["HOOKLINE_TEST_RECORD"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)


@handlers.on("message.received", timeout=1)
async def message(event: MessageReceived, context: Context) -> None:
    """Do as the body says: fail, fail twice, hang, exit, reject, wait, or nothing."""
    record(event, context, "begin")
    match event.body.partition(":")[0]:
        case "fail":
            raise ValueError(f"cannot handle {event.body!r} from {event.from_}")
        case "fail-twice" if context.attempt <= 2:
            raise ValueError("not yet")
        case "hang":
            await asyncio.sleep(60)
        case "slow":
            await asyncio.sleep(0.5)
        case "exit":
            sys.exit(3)
        case "reject":
            raise Reject("not for us")
        case "later" if time.time() * 1000 < event.raw.received_at + 1000:
            raise RetryLater(0.5)
    record(event, context, "end")


@handlers.on("message.status")
def status(event: MessageStatus, context: Context) -> None:
    """Note it from a thread."""
    record(event, context, "end")


def record(event: WebhookEvent, context: Context, what: str) -> None:
    """Append one line."""
    params = event.params
    line = {
        "what": what,
        "id": event.id,
        "key": context.idempotency_key,
        "sid": params.get("MessageSid"),
        "from": params.get("From"),
        "body": params.get("Body", params.get("MessageStatus")),
        "attempt": context.attempt,
        "at": time.time(),
    }
    os.write(_FILE, json.dumps(line).encode() + b"\n")
