"""The signature of SendGrid's event webhooks: ECDSA with P-256 and SHA-256 over the timestamp and the raw body. Pure.

Nothing separates the two in the signed text, so the timestamp must look like one, and must be recent: a genuine signature is
then valid for one body only, and only while its events are recognised as duplicates.

Source: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
"""

import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from hookline_ingress.translation.webhook import TIMESTAMP, Webhook, signed_by_sendgrid

SIGNATURE: Final = "X-Twilio-Email-Event-Webhook-Signature"

_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_MOST_SKEW_S: Final = 300
"""Seconds by which the clock of SendGrid may be ahead of ours."""
_RECENT: Final = 256
_LARGEST_RECENT: Final = 4096


class SendGridKey(NamedTuple):
    """The name of a key in logs and metrics. It signs for no account of Twilio's."""

    name: str
    account: None = None


class SendGridKeys:
    """Verifies with the public keys of one or several SendGrid accounts, in the form of the console: base64 of the DER.

    A signature is accepted for `window_s` seconds in all, the time in which duplicates are recognised.
    """

    def __init__(self, public_keys: Iterable[str], window_s: int = 3600) -> None:
        """Parse the keys.

        Raises:
            ValueError: naming the position of a key that is not valid.

        """
        self._keys = [_load(position, key) for position, key in enumerate(public_keys, start=1)]
        self._most_ahead_s = min(_MOST_SKEW_S, window_s // 2)
        self._most_age_s = window_s - self._most_ahead_s
        self._cached_search = lru_cache(maxsize=_RECENT)(self._search)

    def signature_of(self, headers: Mapping[str, str]) -> str:
        """Return the signature of a request; empty if it has none."""
        return headers.get(SIGNATURE, "")

    def cause(self, webhook: Webhook) -> str | None:
        """Return why `webhook`, which did not verify, could not, whatever its signature is: a sentence; None if it could."""
        if self._is_recent(webhook.request.headers.get(TIMESTAMP, ""), webhook.received_at // 1000):
            return None
        return (
            f"SendGrid signed it more than {self._most_age_s} s ago, or in the future: it repeats events for a day, but "
            "ingress recognises duplicates only for INGRESS_DEDUPE_WINDOW_S. Raise that, and check the clock of this machine."
        )

    def verify(self, webhook: Webhook, _forwarded: str = "") -> "SendGridKey | None":
        """Return the key with which the signature of `webhook` is valid, None if there is none."""
        timestamp = webhook.request.headers.get(TIMESTAMP, "")
        if not self._is_recent(timestamp, webhook.received_at // 1000):
            return None
        content = signed_by_sendgrid(webhook.request)
        size = len(content) + len(webhook.signature)
        search = self._cached_search if size <= _LARGEST_RECENT else self._search
        return search(content, webhook.signature)

    def _is_recent(self, timestamp: str, now_s: int) -> bool:
        return bool(_TIMESTAMP.fullmatch(timestamp)) and -self._most_ahead_s <= now_s - int(timestamp) < self._most_age_s

    def valid_url(self, _webhook: Webhook, _urls: Iterable[str], _most: int) -> None:
        """Return None: the URL is not signed."""

    def _search(self, content: bytes, signature: str) -> "SendGridKey | None":
        try:
            raw = b64decode(signature, validate=True)
        except ValueError:
            return None
        matching = (at for at, key in enumerate(self._keys, start=1) if _is_right(key, raw, content))
        return next((SendGridKey(f"sendgrid{at}") for at in matching), None)


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
