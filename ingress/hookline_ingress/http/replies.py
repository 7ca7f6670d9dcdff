"""The replies to Twilio, and their bytes.

Never text/plain: Twilio would text it back to the sender. A call without further TwiML ends.
Source: https://www.twilio.com/docs/messaging/twiml#twilio-expects, https://www.twilio.com/docs/voice/twiml.
"""

from functools import lru_cache
from http import HTTPStatus
from typing import Final
from wsgiref.handlers import format_date_time

from hookline_ingress.http.request import Reply

EMPTY_TWIML: Final = Reply(200, "text/xml", b"<Response/>")
NO_CONTENT: Final = Reply(204)

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_ALLOW: Final = "Allow: GET, POST\r\n"


@lru_cache(maxsize=256)
def refused(status: int) -> Reply:
    """Return the reply to a request that was not accepted: the status and nothing else, so that nothing leaks."""
    return Reply(status)


@lru_cache(maxsize=64)
def wire(reply: Reply, now_s: int, *, keep_open: bool) -> bytes:
    """Return the bytes of `reply`, head and body, at Unix time `now_s`. They are cached, since they change once a second."""
    status = HTTPStatus(reply.status)
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nDate: {format_date_time(now_s)}\r\n"
    if reply.content_type:
        head += f"Content-Type: {reply.content_type}\r\n"
    if status is not HTTPStatus.NO_CONTENT:
        head += f"Content-Length: {len(reply.body)}\r\n"
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        head += _ALLOW
    if not keep_open:
        head += "Connection: close\r\n"
    return f"{head}\r\n".encode() + reply.body
