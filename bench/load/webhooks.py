"""Inbound SMS webhooks as Twilio sends them: 20 parameters, its headers, a valid signature. Pure.

Only what differs between two webhooks is made anew: the message's SID, the sender, and the signature over all. Source of the
signature: https://www.twilio.com/docs/usage/security#validating-requests.
"""

import hmac
from base64 import b64encode
from typing import Final
from urllib.parse import parse_qsl, urlencode

from twilio.request_validator import RequestValidator

ACCOUNT: Final = "AC" + "0123456789abcdef" * 2
TOKEN: Final = "fedcba9876543210" * 2
PUBLIC_URL: Final = "https://hooks.example.com"
TARGET: Final = "/twilio/message"
CONTENT_TYPE: Final = "application/x-www-form-urlencoded; charset=UTF-8"
TO: Final = "+14155550100"
CONVERSATIONS: Final = 5000
"""So many people write, in turn."""

_SID, _SENDER = "{sid}", "{sender}"

_PARAMETERS: Final = {
    "ToCountry": "US",
    "ToState": "CA",
    "SmsMessageSid": _SID,
    "NumMedia": "0",
    "ToCity": "SAN FRANCISCO",
    "FromZip": "94105",
    "SmsSid": _SID,
    "FromState": "CA",
    "SmsStatus": "received",
    "FromCity": "OAKLAND",
    "Body": "Hello! Is my order ready? I could pick it up at 5:30 pm, or tomorrow before noon. Thanks & bye, Zoë",
    "FromCountry": "US",
    "MessagingServiceSid": "MG" + "0f1e2d3c4b5a6978" * 2,
    "To": TO,
    "ToZip": "94105",
    "NumSegments": "1",
    "MessageSid": _SID,
    "AccountSid": ACCOUNT,
    "From": _SENDER,
    "ApiVersion": "2010-04-01",
}
_BODY: Final = urlencode(_PARAMETERS, safe="{}").replace(_SENDER, "%2B{sender}")
_SIGNED: Final = PUBLIC_URL + TARGET + "".join(f"{name}{value}" for name, value in sorted(_PARAMETERS.items()))
_SIGNED_TEXT: Final = _SIGNED.replace(_SENDER, "+{sender}")
_HEAD: Final = "\r\n".join(
    (
        f"POST {TARGET} HTTP/1.1",
        "Host: hooks.example.com",
        "User-Agent: TwilioProxy/1.1",
        "Accept: */*",
        f"Content-Type: {CONTENT_TYPE}",
        "Content-Length: {length}",
        "I-Twilio-Idempotency-Token: {token}",
        "X-Twilio-Signature: {signature}",
        "\r\n",
    )
)


def message_sid(number: int) -> str:
    """Return the SID of message `number`; it is unique."""
    return f"SM{number:032x}"


def sender(number: int) -> str:
    """Return the phone number of the sender of message `number`."""
    return f"+1510{5550000 + number % CONVERSATIONS}"


def body(number: int) -> bytes:
    """Return the form of message `number`."""
    return _BODY.format(sid=message_sid(number), sender=sender(number)[1:]).encode()


def signature(number: int) -> str:
    """Return the signature of message `number`."""
    text = _SIGNED_TEXT.format(sid=message_sid(number), sender=sender(number)[1:])
    return b64encode(hmac.digest(TOKEN.encode(), text.encode(), "sha1")).decode()


def request(number: int) -> bytes:
    """Return the whole HTTP request that delivers message `number`."""
    form = body(number)
    token = f"{number:08x}-7a1c-4e5f-8b3d-{number:012x}"
    head = _HEAD.format(length=len(form), token=token, signature=signature(number))
    return head.encode() + form


def is_as_twilio_signs(number: int) -> bool:
    """Whether Twilio's own library accepts the signature of message `number`."""
    form = dict(parse_qsl(body(number).decode(), keep_blank_values=True))
    return bool(RequestValidator(TOKEN).validate(PUBLIC_URL + TARGET, form, signature(number)))
