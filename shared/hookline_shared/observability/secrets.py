"""The secrets that this process knows: no log line, span, dead letter or ledger entry quotes them.

They are found by value. The tokens of Twilio, of which there may be very many, are looked up in a set; any others are searched
for one by one.
"""

import re
from collections.abc import Iterable
from typing import Final

from hookline_shared.observability.redaction import HIDDEN

_TOKEN: Final = re.compile(r"[0-9a-f]{32}")
_DIGITS: Final = re.compile(r"[0-9a-f]{32,}")
_TOKEN_LENGTH: Final = 32


class KnownSecrets:
    """Secrets to hide in texts. Used by any thread."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._tokens: set[str] = set()
        self._others: tuple[str, ...] = ()
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Hide these, too."""
        found = {secret for secret in secrets if secret}
        tokens = set(filter(_TOKEN.fullmatch, found))
        self._tokens = self._tokens | tokens
        others = {*self._others, *(found - tokens)}
        self._others = tuple(sorted(others, key=len, reverse=True))  # one may contain another

    def hide(self, text: str) -> str:
        """Return `text` with `[redacted]` in place of every secret."""
        for secret in self._others:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        return _DIGITS.sub(self._hide_tokens, text) if self._tokens else text

    def _hide_tokens(self, digits: re.Match[str]) -> str:
        """Return a run of hexadecimal digits without the tokens in it."""
        run, parts, at, kept = digits[0], [], 0, 0
        while at + _TOKEN_LENGTH <= len(run):
            if run[at : at + _TOKEN_LENGTH] in self._tokens:
                parts += [run[kept:at], HIDDEN]
                kept = at = at + _TOKEN_LENGTH
            else:
                at += 1
        return "".join([*parts, run[kept:]])


SECRETS: Final = KnownSecrets()
"""Those of this process, whoever writes what."""
