"""What Twilio is answered once an event is safe.

Never text/plain: Twilio would text it back to the sender. A call without further TwiML ends.
Source: https://www.twilio.com/docs/messaging/twiml#twilio-expects, https://www.twilio.com/docs/voice/twiml.
"""

import time
from functools import lru_cache
from http import HTTPStatus
from wsgiref.handlers import format_date_time

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.web_request import BaseRequest

from ingress.catalogue import CALL_RECEIVED, MESSAGE_RECEIVED, Kind

_EMPTY_TWIML = b"<Response/>"


class WholeReply(web.Response):
    """A reply whose bytes, head and body, are known beforehand and written at once.

    It is for a connection that stays open, which is nearly every one; assembling the same headers for each request took a
    tenth of ingress' time.
    """

    def __init__(self, status: int, wire: bytes) -> None:
        super().__init__(status=status)
        self._wire = wire

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        """Take note of the connection; nothing is written yet."""
        self._req = request
        self._keep_alive = True
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Write the reply, unless the client has gone."""
        transport = self._req.transport if self._req is not None else None
        if transport is not None:
            transport.write(self._wire)
        self._eof_sent = True


def accepted(kind: Kind, request: BaseRequest) -> web.Response:
    """Give the reply to an event of `kind` that is in Redis: empty TwiML where Twilio expects TwiML, else 204."""
    twiml = kind in (MESSAGE_RECEIVED, CALL_RECEIVED)
    if request.version == HttpVersion11 and request.keep_alive:
        return WholeReply(200 if twiml else 204, _wire(int(time.time()), twiml=twiml))
    return web.Response(body=_EMPTY_TWIML, content_type="text/xml") if twiml else web.Response(status=204)


def refused(status: int) -> web.Response:
    """Give the reply to a request that was not accepted: the status and nothing else, so that nothing leaks."""
    headers = {"Allow": "POST"} if status == HTTPStatus.METHOD_NOT_ALLOWED else None
    return web.Response(status=status, headers=headers)


@lru_cache(maxsize=4)
def _wire(now_s: int, *, twiml: bool) -> bytes:
    date = f"Date: {format_date_time(now_s)}\r\n"
    if not twiml:
        return f"HTTP/1.1 204 No Content\r\n{date}\r\n".encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {len(_EMPTY_TWIML)}\r\n{date}\r\n"
    return head.encode() + _EMPTY_TWIML
