"""The tokens in forms, against requests that another site makes a browser send (CSRF)."""

import hmac
from secrets import token_bytes
from typing import Final

_KEY_BYTES: Final = 32


class FormTokens:
    """Makes and checks tokens: each is a keyed hash of the cookie of the browser that gets the form."""

    def __init__(self) -> None:
        self._key = token_bytes(_KEY_BYTES)

    def of(self, cookie: str) -> str:
        """Return the token for a browser with this cookie."""
        return hmac.new(self._key, cookie.encode(errors="replace"), "sha256").hexdigest()

    def fits(self, token: str, cookie: str) -> bool:
        """Whether `token` was made for a browser with this cookie."""
        return bool(cookie) and hmac.compare_digest(token.encode(errors="replace"), self.of(cookie).encode())
