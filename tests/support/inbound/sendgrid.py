"""Event webhooks as SendGrid sends and signs them: ECDSA with P-256 and SHA-256 over the timestamp and the body."""

import json
import secrets
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
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
        return self._signed(json.dumps(events).encode() + b"\r\n", JSON, target, timestamp)

    def email(self, fields: Mapping[str, str], target: str = "/sendgrid", timestamp: str = "") -> Webhook:
        """Return the delivery of an e-mail that Inbound Parse received. The boundary is another one each time."""
        boundary = secrets.token_hex(8)
        parts = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        )
        body = f"{''.join(parts)}--{boundary}--\r\n".encode()
        return self._signed(body, f"multipart/form-data; boundary={boundary}", target, timestamp)

    def sign(self, content: bytes) -> str:
        """Return the signature of a timestamp and the body that follows it."""
        return b64encode(self._key.sign(content, ECDSA(SHA256()))).decode()

    def _signed(self, body: bytes, content_type: str, target: str, timestamp: str) -> Webhook:
        timestamp = timestamp or str(int(time.time()))
        headers = {"Content-Type": content_type, SIGNATURE: self.sign(timestamp.encode() + body), TIMESTAMP: timestamp}
        return Webhook(target, (), headers, body)
