"""The handlers of the tests of waiting events: they do as the first word of the message's body says.

    wait:<s>    RetryLater, for so many seconds
    until:<t>   RetryLater, until Unix time t
    fail        an error, each time
    overrun     a plain function that takes longer than its time-out, until the gate is open
    any other   nothing, and one line with the body, and the seconds since the event was received, or since t

HOOKLINE_TEST_RECORD names the file of these lines, and with `.open` behind it the gate. With HOOKLINE_TEST_KINDS, only the
kinds in it have handlers.
"""

import json
import os
import time
from pathlib import Path
from typing import Final

from hookline import Context, Handlers, RetryLater, WebhookEvent

handlers = Handlers()

_RECORD: Final = os.environ["HOOKLINE_TEST_RECORD"]
_FILE: Final = os.open(_RECORD, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
_KINDS: Final = os.environ.get("HOOKLINE_TEST_KINDS", "message.received,message.status,call.status").split(",")


def do(event: WebhookEvent) -> None:
    """Do as the body says."""
    action, _, value = event.params.get("Body", "").partition(":")
    now = time.time()
    match action:
        case "wait":
            raise RetryLater(float(value))
        case "until" if now < float(value):
            raise RetryLater(float(value) - now)
        case "fail":
            raise ConnectionError("it is away")
        case "overrun":
            while not Path(f"{_RECORD}.open").exists():
                time.sleep(0.01)
    since = float(value) if action == "until" else event.raw.received_at / 1000
    line = {"what": "end", "body": event.params.get("Body", "")[:100], "key": event.raw.key, "after": now - since}
    os.write(_FILE, b"\n" + json.dumps(line).encode() + b"\n")  # behind a line that a kill has cut, too


async def message(event: WebhookEvent, _context: Context) -> None:
    """Do as the body says, on the event loop."""
    do(event)


def call(event: WebhookEvent, _context: Context) -> None:
    """Do as the body says, in a thread."""
    do(event)


if "message.received" in _KINDS:
    handlers.on("message.received")(message)
if "message.status" in _KINDS:
    handlers.on("message.status", breaker="crm")(message)
if "call.status" in _KINDS:
    handlers.on("call.status", timeout=0.2)(call)
