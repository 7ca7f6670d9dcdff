"""Requests as Twilio makes them: the headers, the body, and a signature made with Twilio's own library.

Nothing here uses Hookline's code, so nothing vouches for itself. What the requests say is in `tests.support.inbound.kinds` and
`tests.support.inbound.products`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final
from urllib.parse import urlencode

from multidict import MultiDict
from twilio.request_validator import RequestValidator

Params = tuple[tuple[str, str], ...]

TOKEN: Final = "0123456789abcdef0123456789abcdef"
PUBLIC_URL: Final = "https://hooks.example.com"
FORM: Final = "application/x-www-form-urlencoded; charset=UTF-8"
JSON: Final = "application/json"


@dataclass(frozen=True)
class Webhook:
    """One request, ready to be sent to `target`, the path and query."""

    target: str
    params: Params
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"

    def with_header(self, name: str, value: str) -> "Webhook":
        """Return this with another value of one header."""
        return replace(self, headers={**self.headers, name: value})

    def without_header(self, name: str) -> "Webhook":
        """Return this without one header."""
        return replace(self, headers={other: value for other, value in self.headers.items() if other != name})

    def with_body(self, body: bytes) -> "Webhook":
        """Return this with another body under the same signature."""
        return replace(self, body=body)


@dataclass(frozen=True)
class Twilio:
    """Signs as Twilio does, for one account whose console holds `public_url`.

    With `key_id`, `token` is the shared key of that id, and the hash is SHA-256 rather than SHA-1.
    """

    token: str = field(default=TOKEN, repr=False)
    public_url: str = PUBLIC_URL
    key_id: str = ""

    def webhook(self, params: Iterable[tuple[str, str]], target: str = "/twilio") -> Webhook:
        """Return the delivery of `params` to `target`."""
        pairs = tuple(params)
        headers = self._headers(FORM, self.signature(target, pairs), _token(pairs))
        return Webhook(target, pairs, headers, urlencode(pairs).encode())

    def get(self, params: Iterable[tuple[str, str]], path: str = "/twilio") -> Webhook:
        """Return the delivery of `params` by GET: they are the query, which the signature covers with the URL."""
        pairs = tuple(params)
        target = f"{path}?{urlencode(pairs)}"
        headers = self._headers("", self.signature(target, ()), _token(pairs))
        return Webhook(target, pairs, headers, b"", "GET")

    def json(self, body: bytes, target: str = "/twilio", *, hashed: bool = True) -> Webhook:
        """Return the delivery of `body`, which is no form. The signature covers it only if it is `hashed` into the URL."""
        if hashed:
            target += f"{'&' if '?' in target else '?'}bodySHA256={sha256(body).hexdigest()}"
        headers = self._headers(JSON, self.signature(target, ()), sha256(body).hexdigest()[:32])
        return Webhook(target, (), headers, body)

    def signature(self, target: str, params: Params) -> str:
        """Return the X-Twilio-Signature of a form POST, or without parameters of any other request."""
        return sign(self.token, self.public_url + target, params, "HMAC_SHA256" if self.key_id else "HMAC_SHA1")

    def _headers(self, content_type: str, signature: str, token: str) -> dict[str, str]:
        headers = {
            "Content-Type": content_type,
            "Accept": "*/*",
            "User-Agent": "TwilioProxy/1.1",
            "X-Home-Region": "us1",
            "I-Twilio-Idempotency-Token": token,
            "X-Twilio-Signature": signature,
        }
        if self.key_id:
            headers["X-Twilio-Webhooks-Signature-Settings"] = f"key={self.key_id},algorithm=HMAC_SHA256"
        return {name: value for name, value in headers.items() if value}


def _token(params: Params) -> str:
    """Return the idempotency token of an event with `params`: the same in all its deliveries, whatever a retry adds."""
    facts = sorted(pair for pair in params if pair[0] not in ("ErrorCode", "ErrorUrl", "RetryCount"))
    return sha256(repr(facts).encode()).hexdigest()[:32]


def sign(token: str, url: str, params: Params, algorithm: str = "HMAC_SHA1") -> str:
    """Return what Twilio's library computes for a form POST to `url`."""
    signature: str = RequestValidator(token).compute_signature(url, MultiDict(params), algorithm)
    return signature
