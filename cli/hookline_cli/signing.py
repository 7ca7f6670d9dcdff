"""Requests as Twilio makes them: headers, body and a valid signature.

The signature comes from Twilio's own library, so that the verification is tested against an independent implementation.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from hookline_processor.samples.webhook import Webhook
from hookline_shared.parsing.forms import FORM

_JSON: Final = "application/json"


@dataclass(frozen=True)
class WebhookRequest:
    """`url` is the signed URL. It may be sent to another one, for example past a proxy."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"


def sign_webhook(url: str, webhook: Webhook, token: str) -> WebhookRequest:
    """Return the request that carries `webhook` to `url`, signed with auth token `token`."""
    if webhook.content_type.startswith(FORM):
        return sign_form(url, webhook.params, token)
    return sign_json(url, webhook.body, token)


def sign_form(url: str, params: Mapping[str, str], token: str) -> WebhookRequest:
    """Return the request that carries `params` as a form to `url`, signed with auth token `token`."""
    signature = RequestValidator(token).compute_signature(url, dict(params))
    return WebhookRequest(url, _headers(signature, f"{FORM}; charset=UTF-8"), urlencode(params).encode())


def sign_json(url: str, body: bytes, token: str) -> WebhookRequest:
    """Return the request that carries `body` as JSON: its hash is part of the URL, which alone is signed."""
    hashed = f"{url}{'&' if '?' in url else '?'}bodySHA256={sha256(body).hexdigest()}"
    return WebhookRequest(hashed, _headers(RequestValidator(token).compute_signature(hashed, {}), _JSON), body)


def sign_query(url: str, token: str) -> WebhookRequest:
    """Return the GET of `url`, whose query has the parameters, signed with auth token `token`."""
    return WebhookRequest(url, _headers(RequestValidator(token).compute_signature(url, {})), b"", "GET")


def _headers(signature: str, content_type: str = "") -> dict[str, str]:
    return ({"Content-Type": content_type} if content_type else {}) | {
        "User-Agent": "TwilioProxy/1.1",
        "Accept": "*/*",
        "I-Twilio-Idempotency-Token": secrets.token_hex(16),
        "X-Home-Region": "us1",
        "X-Twilio-Signature": signature,
    }
