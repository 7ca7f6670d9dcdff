"""Webhooks as Twilio sends them: all parameters, the headers, and a signature made with Twilio's own library.

Nothing here uses Hookline's code, so nothing vouches for itself. Builders give parameters as (name, value) pairs, in the order
in which Twilio sends them; keyword arguments replace or add parameters, and None leaves one out.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlencode

from multidict import MultiDict
from twilio.request_validator import RequestValidator

Params = tuple[tuple[str, str], ...]

TOKEN: Final = "0123456789abcdef0123456789abcdef"
ACCOUNT: Final = "AC" + "1" * 32
PUBLIC_URL: Final = "https://hooks.example.com"
SENDER: Final = "+14155550123"
RECIPIENT: Final = "+18005551212"


@dataclass(frozen=True)
class Webhook:
    """One POST, ready to be sent to `target`, the path and query."""

    target: str
    params: Params
    headers: Mapping[str, str]
    body: bytes

    def with_header(self, name: str, value: str) -> "Webhook":
        """Give this with another value of one header."""
        return replace(self, headers={**self.headers, name: value})

    def without_header(self, name: str) -> "Webhook":
        """Give this without one header."""
        return replace(self, headers={other: value for other, value in self.headers.items() if other != name})

    def with_body(self, body: bytes) -> "Webhook":
        """Give this with another body under the same signature."""
        return replace(self, body=body)


@dataclass(frozen=True)
class Twilio:
    """Signs as Twilio does, for one account whose console holds `public_url`."""

    token: str = field(default=TOKEN, repr=False)
    public_url: str = PUBLIC_URL

    def webhook(self, params: Iterable[tuple[str, str]], target: str = "/twilio") -> Webhook:
        """Give the delivery of `params` to `target`."""
        pairs = tuple(params)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "Accept": "*/*",
            "User-Agent": "TwilioProxy/1.1",
            "X-Home-Region": "us1",
            "I-Twilio-Idempotency-Token": secrets.token_hex(16),
            "X-Twilio-Signature": self.signature(target, pairs),
        }
        return Webhook(target, pairs, headers, urlencode(pairs).encode())

    def signature(self, target: str, params: Params) -> str:
        """Give the X-Twilio-Signature of a form POST."""
        return sign(self.token, self.public_url + target, params)


def sign(token: str, url: str, params: Params) -> str:
    """Give what Twilio's library computes for a form POST to `url`."""
    signature: str = RequestValidator(token).compute_signature(url, MultiDict(params))
    return signature


def sid(prefix: str) -> str:
    """Give a fresh SID, such as SM0f1e…"""
    return prefix + secrets.token_hex(16)


def message(**changes: str | None) -> Params:
    """Give an inbound SMS."""
    message_sid = changes.get("MessageSid") or sid("SM")
    return _changed(
        {
            "ToCountry": "US",
            "ToState": "CA",
            "SmsMessageSid": message_sid,
            "NumMedia": "0",
            "ToCity": "SAN FRANCISCO",
            "FromZip": "94107",
            "SmsSid": message_sid,
            "FromState": "CA",
            "SmsStatus": "received",
            "FromCity": "OAKLAND",
            "Body": "Is the café open? 1 + 1 = 2 & so on 🙂",
            "FromCountry": "US",
            "To": RECIPIENT,
            "MessagingServiceSid": "MG" + "2" * 32,
            "ToZip": "94105",
            "NumSegments": "1",
            "MessageSid": message_sid,
            "AccountSid": ACCOUNT,
            "From": SENDER,
            "ApiVersion": "2010-04-01",
        },
        changes,
    )


def picture_message(**changes: str | None) -> Params:
    """Give an inbound MMS with two pictures."""
    media = {
        "NumMedia": "2",
        "MediaUrl0": f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages/MM1/Media/ME1",
        "MediaContentType0": "image/jpeg",
        "MediaUrl1": f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages/MM1/Media/ME2",
        "MediaContentType1": "image/png",
    }
    return message(**{"MessageSid": sid("MM"), "Body": ""} | media | changes)


def whatsapp_message(**changes: str | None) -> Params:
    """Give an inbound WhatsApp message: a button was pressed."""
    whatsapp = {
        "From": f"whatsapp:{SENDER}",
        "To": f"whatsapp:{RECIPIENT}",
        "ProfileName": "Zoë",
        "WaId": SENDER.removeprefix("+"),
        "ButtonText": "Yes",
        "ButtonPayload": "confirm",
        "OriginalRepliedMessageSid": sid("SM"),
        "MessageType": "button",
        "ChannelMetadata": '{"type":"whatsapp","data":{}}',
    }
    return message(**whatsapp | changes)


def message_status(status: str = "delivered", **changes: str | None) -> Params:
    """Give the status callback of an outbound SMS."""
    message_sid = changes.get("MessageSid") or sid("SM")
    return _changed(
        {
            "SmsSid": message_sid,
            "SmsStatus": status,
            "MessageStatus": status,
            "To": SENDER,
            "MessagingServiceSid": "MG" + "2" * 32,
            "MessageSid": message_sid,
            "AccountSid": ACCOUNT,
            "From": RECIPIENT,
            "ApiVersion": "2010-04-01",
        },
        changes,
    )


def whatsapp_status(status: str, event_type: str, **changes: str | None) -> Params:
    """Give the status callback of an outbound WhatsApp message; `event_type` is READ for the read receipt."""
    whatsapp = {
        "EventType": event_type,
        "ChannelPrefix": "whatsapp",
        "ChannelInstallSid": sid("XE"),
        "ChannelToAddress": SENDER,
        "StructuredMessage": "false",
        "From": f"whatsapp:{RECIPIENT}",
        "To": f"whatsapp:{SENDER}",
    }
    return message_status(status, **whatsapp | changes)


def call(**changes: str | None) -> Params:
    """Give an inbound call, or with `Digits` and the like a later step of it."""
    return _changed(
        {
            "AccountSid": ACCOUNT,
            "ApiVersion": "2010-04-01",
            "CallSid": sid("CA"),
            "CallStatus": "ringing",
            "CallToken": '{"parentCallInfoToken":"e30"}',
            "Called": RECIPIENT,
            "CalledCity": "",
            "CalledCountry": "US",
            "CalledState": "CA",
            "CalledZip": "",
            "Caller": SENDER,
            "CallerCity": "OAKLAND",
            "CallerCountry": "US",
            "CallerState": "CA",
            "CallerZip": "94107",
            "Direction": "inbound",
            "From": SENDER,
            "FromCity": "OAKLAND",
            "FromCountry": "US",
            "FromState": "CA",
            "FromZip": "94107",
            "StirVerstat": "TN-Validation-Passed-A",
            "To": RECIPIENT,
            "ToCountry": "US",
        },
        changes,
    )


def call_status(status: str = "completed", **changes: str | None) -> Params:
    """Give a call's progress callback."""
    progress = {
        "CallStatus": status,
        "CallDuration": "12",
        "Duration": "1",
        "CallbackSource": "call-progress-events",
        "SequenceNumber": "3",
        "Timestamp": "Thu, 19 Jun 2025 15:00:00 +0000",
    }
    return call(**progress | changes)


def unknown(**changes: str | None) -> Params:
    """Give something of a product that Hookline has not heard of."""
    return _changed({"AccountSid": ACCOUNT, "FaxSid": sid("FX"), "FaxStatus": "delivered"}, changes)


def _changed(params: Mapping[str, str], changes: Mapping[str, str | None]) -> Params:
    return tuple((name, value) for name, value in {**params, **changes}.items() if value is not None)
