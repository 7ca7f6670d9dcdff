"""Sample webhooks as Twilio sends them: their headers, correctly signed.

The signature comes from Twilio's own library, so that nothing of ours vouches for itself.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from shared.samples.webhook import sample


class Sample(StrEnum):
    """The webhooks that `hookline send` knows, as they are called there."""

    MESSAGE = "message"
    STATUS = "status"
    CALL = "call"
    CALL_STATUS = "call-status"


_KINDS: Final = {
    Sample.MESSAGE: "message.received",
    Sample.STATUS: "message.status",
    Sample.CALL: "call.received",
    Sample.CALL_STATUS: "call.status",
}


@dataclass(frozen=True)
class SignedRequest:
    """A POST as Twilio would make it."""

    url: str
    headers: Mapping[str, str]
    body: bytes


def parameters(what: Sample, sender: str, recipient: str, body: str) -> Mapping[str, str]:
    """Give the parameters of a fresh webhook from `sender` to `recipient`; `body` matters to messages only."""
    own = {Sample.MESSAGE: {"Body": body}, Sample.CALL_STATUS: {"Timestamp": formatdate()}}
    return sample(_KINDS[what], {"From": sender, "To": recipient, **own.get(what, {})}).params


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
