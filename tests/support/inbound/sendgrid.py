"""Event webhooks as SendGrid sends and signs them: ECDSA with P-256 and SHA-256 over the timestamp and the body."""

import json
import time
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.inbound.webhooks import JSON, Webhook

_HEADER: Final = "X-Twilio-Email-Event-Webhook-"
SIGNATURE: Final = _HEADER + "Signature"
TIMESTAMP: Final = _HEADER + "Timestamp"


class SendGrid:
    """One SendGrid account. `public_key` is what its console shows."""

    def __init__(self) -> None:
        self._key = generate_private_key(SECP256R1())
        public = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.public_key = b64encode(public).decode()

    def webhook(self, events: Sequence[dict[str, Any]], target: str = "/sendgrid", timestamp: str = "") -> Webhook:
        """Return the delivery of `events`, made now or at `timestamp`. A line break follows the JSON, and is signed, too."""
        body = json.dumps(events).encode() + b"\r\n"
        timestamp = timestamp or str(int(time.time()))
        headers = {"Content-Type": JSON, SIGNATURE: self.sign(timestamp.encode() + body), TIMESTAMP: timestamp}
        return Webhook(target, (), headers, body)

    def sign(self, content: bytes) -> str:
        """Return the signature of a timestamp and the body that follows it."""
        return b64encode(self._key.sign(content, ECDSA(SHA256()))).decode()
