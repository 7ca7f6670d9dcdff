"""Handlers for all kinds: they write down each event, and wait or fail as files in the folder of the record say.

One line for each begun and each ended attempt, as in `recorder`. A conference with the friendly name "broken" fails until there
is a file `mended`. Results of AMD end together: each waits until as many have begun as HOOKLINE_TEST_TOGETHER says.
"""

import asyncio
import json
import os
from pathlib import Path

from hookline import AmdResult, ConferenceEvent, Context, Handlers, WebhookEvent

handlers = Handlers()

_RECORD = Path(os.environ["HOOKLINE_TEST_RECORD"])
_TOGETHER = int(os.environ.get("HOOKLINE_TEST_TOGETHER", "1"))
_POLL_S = 0.01
_begun = 0


@handlers.on("*")
async def note(event: WebhookEvent, context: Context) -> None:
    """Write it down."""
    record(event, "end")


@handlers.on(ConferenceEvent)
async def conference(event: ConferenceEvent, context: Context) -> None:
    """Fail for one conference, until it is mended."""
    record(event, "begin")
    if event.friendly_name == "broken" and not (_RECORD.parent / "mended").exists():
        raise ConnectionError("the system of this conference is away")
    record(event, "end")


@handlers.on(AmdResult)
async def amd(event: AmdResult, context: Context) -> None:
    """Wait for the others."""
    global _begun  # noqa: PLW0603 - one process, one loop
    _begun += 1
    while _begun < _TOGETHER:
        await asyncio.sleep(_POLL_S)
    record(event, "end")


def record(event: WebhookEvent, what: str) -> None:
    """Append one line."""
    line = {
        "what": what,
        "kind": event.raw.kind,
        "key": event.raw.key,
        "body": event.params.get("Body", ""),
        "status": event.params.get("MessageStatus") or event.params.get("CallStatus", ""),
    }
    with _RECORD.open("a") as file:
        file.write(json.dumps(line) + "\n")
