"""A local key that signs SendGrid webhooks for tests. It needs the package cryptography."""

import secrets
import time
from base64 import b64decode, b64encode
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hookline_cli.signing import WebhookRequest
from hookline_shared.distribution import install_command
from hookline_shared.errors import HooklineError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_FILE: Final = "sendgrid-key"


class NoCryptographyError(HooklineError):
    """SendGrid's signatures cannot be made."""

    def __init__(self) -> None:
        super().__init__(f"Signing SendGrid webhooks needs the package cryptography: {install_command('sendgrid')}.")


class SendGridKey:
    """The key in the folder `data`, created if it is missing, readable by its owner only.

    Raises:
        NoCryptographyError: if the package is missing.
        HooklineError: if the key cannot be stored there.

    """

    def __init__(self, data: Path) -> None:
        if find_spec("cryptography") is None:
            raise NoCryptographyError
        self._key = _kept(data / _FILE)

    @property
    def public(self) -> str:
        """The SENDGRID_PUBLIC_KEY with which ingress accepts these signatures."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - optional dependency

        der = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return b64encode(der).decode()

    def sign(self, url: str, body: bytes, content_type: str) -> WebhookRequest:
        """Return the request that carries `body` to `url`."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA  # noqa: PLC0415
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

        timestamp = str(int(time.time()))
        signature = b64encode(self._key.sign(timestamp.encode() + body, ECDSA(SHA256()))).decode()
        headers = {
            "Content-Type": content_type,
            "User-Agent": "SendGrid Event API",
            "X-Twilio-Email-Event-Webhook-Signature": signature,
            "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
            "X-Request-Id": secrets.token_hex(8),
        }
        return WebhookRequest(url, headers, body)


def _kept(file: Path) -> "EllipticCurvePrivateKey":
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key  # noqa: PLC0415

    try:
        if file.exists():
            key = load_der_private_key(b64decode(file.read_text()), None)
            if isinstance(key, ec.EllipticCurvePrivateKey):
                return key
        made = ec.generate_private_key(ec.SECP256R1())
        der = made.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(b64encode(der).decode())
    except (OSError, ValueError) as error:
        raise HooklineError(
            f"The key in {file} can be neither read nor written: {error}. Choose another folder with --data."
        ) from error
    return made
