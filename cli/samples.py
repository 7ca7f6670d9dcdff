"""Realistic webhooks: the parameters and headers that Twilio sends, correctly signed.

The signature comes from Twilio's own library, so that nothing of ours vouches for itself.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from enum import StrEnum
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

ACCOUNT_SID = "AC00000000000000000000000000000001"


class Sample(StrEnum):
    """The webhooks that `hookline send` knows, as they are called there."""

    MESSAGE = "message"
    STATUS = "status"
    CALL = "call"
    CALL_STATUS = "call-status"


@dataclass(frozen=True)
class SignedRequest:
    """A POST as Twilio would make it."""

    url: str
    headers: Mapping[str, str]
    body: bytes


def new_sid(prefix: str) -> str:
    """Make a SID: two letters and 32 hexadecimal digits."""
    return prefix + secrets.token_hex(16)


def parameters(sample: Sample, sender: str, recipient: str, body: str) -> dict[str, str]:
    """Give the parameters of a fresh webhook from `sender` to `recipient`; `body` matters to messages only."""
    match sample:
        case Sample.MESSAGE:
            return _message(sender, recipient, body)
        case Sample.STATUS:
            return _message_status(sender, recipient)
        case Sample.CALL:
            return _call(sender, recipient) | {"CallStatus": "ringing"}
        case Sample.CALL_STATUS:
            return _call(sender, recipient) | _call_progress()


def sign(url: str, params: Mapping[str, str], token: str) -> SignedRequest:
    """Give the request that carries `params` to `url`, signed with auth token `token`."""
    return SignedRequest(
        url=url,
        headers={
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
            "I-Twilio-Idempotency-Token": secrets.token_hex(16),
            "X-Home-Region": "us1",
            "X-Twilio-Signature": RequestValidator(token).compute_signature(url, dict(params)),
        },
        body=urlencode(params).encode(),
    )


def _message(sender: str, recipient: str, body: str) -> dict[str, str]:
    sid = new_sid("SM")
    return {
        "ToCountry": "US",
        "ToState": "CA",
        "SmsMessageSid": sid,
        "NumMedia": "0",
        "ToCity": "SAN FRANCISCO",
        "FromZip": "94107",
        "SmsSid": sid,
        "FromState": "CA",
        "SmsStatus": "received",
        "FromCity": "OAKLAND",
        "Body": body,
        "FromCountry": "US",
        "To": recipient,
        "MessagingServiceSid": "MG00000000000000000000000000000001",
        "ToZip": "94105",
        "NumSegments": "1",
        "MessageSid": sid,
        "AccountSid": ACCOUNT_SID,
        "From": sender,
        "ApiVersion": "2010-04-01",
    }


def _message_status(sender: str, recipient: str) -> dict[str, str]:
    sid = new_sid("SM")
    return {
        "SmsSid": sid,
        "SmsStatus": "delivered",
        "MessageStatus": "delivered",
        "To": recipient,
        "MessageSid": sid,
        "AccountSid": ACCOUNT_SID,
        "From": sender,
        "ApiVersion": "2010-04-01",
    }


def _call(sender: str, recipient: str) -> dict[str, str]:
    return {
        "AccountSid": ACCOUNT_SID,
        "ApiVersion": "2010-04-01",
        "CallSid": new_sid("CA"),
        "Called": recipient,
        "CalledCountry": "US",
        "CalledState": "CA",
        "Caller": sender,
        "CallerCountry": "US",
        "CallerState": "CA",
        "Direction": "inbound",
        "From": sender,
        "FromCountry": "US",
        "To": recipient,
        "ToCountry": "US",
    }


def _call_progress() -> dict[str, str]:
    return {
        "CallStatus": "completed",
        "CallDuration": "12",
        "CallbackSource": "call-progress-events",
        "SequenceNumber": "3",
        "Timestamp": formatdate(usegmt=False),
    }
