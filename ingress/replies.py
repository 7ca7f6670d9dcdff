"""What Twilio is answered once an event is safe.

Never text/plain: Twilio would text it back to the sender. A call without further TwiML ends.
Source: https://www.twilio.com/docs/messaging/twiml#twilio-expects, https://www.twilio.com/docs/voice/twiml.
"""

from http import HTTPStatus

from aiohttp import web

from ingress.catalogue import CALL_RECEIVED, MESSAGE_RECEIVED, Kind

_EMPTY_TWIML = b"<Response/>"


def accepted(kind: Kind) -> web.Response:
    """Give the reply to an event of `kind` that is in Redis: empty TwiML where Twilio expects TwiML, else 204."""
    if kind in (MESSAGE_RECEIVED, CALL_RECEIVED):
        return web.Response(body=_EMPTY_TWIML, content_type="text/xml")
    return web.Response(status=204)


def refused(status: int) -> web.Response:
    """Give the reply to a request that was not accepted: the status and nothing else, so that nothing leaks."""
    headers = {"Allow": "POST"} if status == HTTPStatus.METHOD_NOT_ALLOWED else None
    return web.Response(status=status, headers=headers)
