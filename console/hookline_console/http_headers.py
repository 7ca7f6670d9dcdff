"""The headers of every answer. Pure."""

from collections.abc import Mapping
from typing import Final

_CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing inline, nothing from elsewhere: a script in a message body is text, whatever the templates do."""
_ALWAYS: Final = {
    "Content-Security-Policy": _CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_ENCRYPTED: Final = {"Strict-Transport-Security": "max-age=31536000"}
NOT_KEPT: Final = "no-store"


def security_headers(*, https: bool) -> Mapping[str, str]:
    """Return the headers of each answer, of a console that is reached by `https` or not."""
    return _ALWAYS | (_ENCRYPTED if https else {})
