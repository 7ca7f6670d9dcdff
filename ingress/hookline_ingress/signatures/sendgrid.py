"""The signature of SendGrid's event webhooks: ECDSA with P-256 and SHA-256 over the timestamp and the raw body. Pure.

Source: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
"""

from base64 import b64decode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from hookline_ingress.translation.webhook import Webhook

SIGNATURE: Final = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP: Final = "X-Twilio-Email-Event-Webhook-Timestamp"

_RECENT: Final = 256
_LARGEST_RECENT: Final = 4096


class SendGridKeys:
    """Verifies with the public keys of one or several SendGrid accounts, in the form of the console: base64 of the DER."""

    def __init__(self, public_keys: Iterable[str]) -> None:
        """Parse the keys.

        Raises:
            ValueError: naming the position of a key that is not valid.

        """
        self._keys = [_load(position, key) for position, key in enumerate(public_keys, start=1)]
        self._cached_search = lru_cache(maxsize=_RECENT)(self._search)

    def signature_of(self, headers: Mapping[str, str]) -> str:
        """Return the signature of a request; empty if it has none."""
        return headers.get(SIGNATURE, "")

    def verify(self, webhook: Webhook, _forwarded: str = "") -> str | None:
        """Return the name of the key with which the signature of `webhook` is valid, None if there is none."""
        content = webhook.request.headers.get(TIMESTAMP, "").encode(errors="replace") + (webhook.signed_body or b"")
        size = len(content) + len(webhook.signature)
        search = self._cached_search if size <= _LARGEST_RECENT else self._search
        return search(content, webhook.signature)

    def valid_url(self, _webhook: Webhook, _urls: Iterable[str], _most: int) -> None:
        """Return None: the URL is not signed."""

    def _search(self, content: bytes, signature: str) -> str | None:
        try:
            raw = b64decode(signature, validate=True)
        except ValueError:
            return None
        return next((f"sendgrid{at}" for at, key in enumerate(self._keys, start=1) if _is_right(key, raw, content)), None)


def _load(position: int, encoded: str) -> EllipticCurvePublicKey:
    try:
        key = load_der_public_key(b64decode(encoded, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, EllipticCurvePublicKey):
        return key
    raise ValueError(f"number {position} is not a verification key as SendGrid's console shows it (base64, begins with MFkw)")


def _is_right(key: EllipticCurvePublicKey, signature: bytes, content: bytes) -> bool:
    try:
        key.verify(signature, content, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
