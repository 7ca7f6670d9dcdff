"""The messages that are to be sent, and how far each is."""

from typing import Any, Final

from aiohttp import web

from hookline_cli.outbox.list import find_messages
from hookline_cli.outbox.messages import Message
from hookline_cli.output.redaction import Redaction
from hookline_console.components import COMPONENTS
from hookline_console.page import redaction, render
from hookline_shared.topics import OUTBOX

_SHOWN: Final = 100


async def show(request: web.Request) -> web.Response:
    """Show the outbox."""
    hides = redaction(request)
    messages, total, now_ms = await find_messages(await request.app[COMPONENTS].redis.session(), _SHOWN)
    rows = [_row(one, hides, now_ms) for one in messages]
    return render(request, "outbox.html", rows=rows, total=total, now=now_ms, topic=OUTBOX)


def _row(one: Message, hides: Redaction, now_ms: int) -> dict[str, Any]:
    parameters, segments = one.parameters(hides), one.segments
    return {
        "id": one.event.id,
        "state": one.state(now_ms),
        "in_doubt": one.in_doubt(now_ms),
        "age_ms": max(0, now_ms - one.event.received_at),
        "to": parameters.get("To", ""),
        "sender": parameters.get("From") or parameters.get("MessagingServiceSid", ""),
        "segments": f"{segments.number} {segments.encoding}" if segments else "",
        "text": parameters.get("Body") or parameters.get("ContentSid", ""),
    }
