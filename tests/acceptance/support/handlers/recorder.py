"""The handlers of the acceptance tests: they write down what they are given, and do as the message's body says.

One line for each attempt, appended with a single write to the file that HOOKLINE_TEST_RECORD names, so that it survives even
a SIGKILL right after it; several processors may share the file. Handlers that wait at the gate go on once there is a file of
the same name with `.open` behind it, those of one process also with `.open.` and its id. HOOKLINE_TEST_TIMEOUT_S is the
time-out of messages, HOOKLINE_TEST_WORK_S how long each takes.
"""

import asyncio
import json
import os
import signal
import sys
import time

from hookline import Context, Handlers, MessageReceived, MessageStatus, Reject, RetryLater, WebhookEvent

handlers = Handlers()

_FILE = os.open(os.environ["HOOKLINE_TEST_RECORD"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
_GATES = [os.environ["HOOKLINE_TEST_RECORD"] + end for end in (".open", f".open.{os.getpid()}")]
_TIMEOUT_S = float(os.environ.get("HOOKLINE_TEST_TIMEOUT_S", "1"))
_WORK_S = float(os.environ.get("HOOKLINE_TEST_WORK_S", "0"))
_POLL_S = 0.01


@handlers.on("message.received", timeout=_TIMEOUT_S)
async def message(event: MessageReceived, context: Context) -> None:
    """Take some time, if the body says so, then fail at times or always, exit, crash, reject, put it off, or do nothing."""
    record(event, context, "begin")
    await take_time(event.body)
    match event.body.partition(":")[0]:
        case "fail":
            raise ValueError(f"cannot handle {event.body!r} from {event.from_}")
        case "fail-twice" if context.attempt <= 2:
            raise ValueError("not yet")
        case "broken" if not is_open():
            raise ValueError("not mended yet")
        case "exit":
            sys.exit(3)
        case "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        case "reject":
            raise Reject("not for us")
        case "later" if time.time() * 1000 < event.raw.received_at + 1000:
            raise RetryLater(0.5)
    record(event, context, "end")


async def take_time(body: str) -> None:
    """Hang, be slow, or wait at the gate."""
    if _WORK_S:
        await asyncio.sleep(_WORK_S)
    match body:
        case "hang":
            await asyncio.sleep(60)
        case "slow":
            await asyncio.sleep(0.5)
        case "gate":
            while not is_open():
                await asyncio.sleep(_POLL_S)


def is_open() -> bool:
    """Whether the gate is open."""
    return any(map(os.path.exists, _GATES))


@handlers.on("message.status")
def status(event: MessageStatus, context: Context) -> None:
    """Note it from a thread, or fail if HOOKLINE_TEST_STATUSES says "fail"."""
    if os.environ.get("HOOKLINE_TEST_STATUSES") == "fail":
        raise ConnectionError("cannot reach the database of statuses")
    record(event, context, "end")


@handlers.on("call.status")
def call_status(event: WebhookEvent, context: Context) -> None:
    """Wait at the gate, in a thread, which nothing can stop."""
    record(event, context, "begin")
    while not is_open():
        time.sleep(_POLL_S)
    record(event, context, "end")


def record(event: WebhookEvent, context: Context, what: str) -> None:
    """Append one line."""
    params = event.params
    line = {
        "what": what,
        "id": event.id,
        "key": context.idempotency_key,
        "sid": params.get("MessageSid", params.get("CallSid")),
        "from": params.get("From"),
        "body": params.get("Body", params.get("MessageStatus")),
        "attempt": context.attempt,
        "pid": os.getpid(),
        "at": time.time(),
    }
    os.write(_FILE, b"\n" + json.dumps(line).encode() + b"\n")  # behind a line that a kill has cut, too
