"""The links in the terminal, each of which signs in once."""

from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Final

LIFE_S: Final = 600.0
"""Seconds after which a link that nobody has used is worth nothing."""
_REST_S: Final = 5.0
"""Seconds between two links that somebody without a session asks for, so that nobody fills the terminal."""
_SECRET_BYTES: Final = 24


class OneTimeLinks:
    """Makes the secrets in links. Only the last one is good, once, and only its hash is kept."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._hash = b""
        self._made_at = -_REST_S

    def make(self) -> str:
        """Return a new secret; the one before is worth nothing any more."""
        secret = token_urlsafe(_SECRET_BYTES)
        self._hash, self._made_at = _hash_of(secret), self._monotonic()
        return secret

    def may_make(self) -> bool:
        """Whether the last one was made long enough ago."""
        return self._monotonic() - self._made_at >= _REST_S

    def redeem(self, secret: str) -> bool:
        """Whether `secret` is good. It is not any more afterwards."""
        good = bool(self._hash) and compare_digest(_hash_of(secret), self._hash)
        if good:
            self._hash = b""
        return good and self._monotonic() - self._made_at <= LIFE_S


def _hash_of(secret: str) -> bytes:
    return sha256(secret.encode(errors="replace")).digest()
