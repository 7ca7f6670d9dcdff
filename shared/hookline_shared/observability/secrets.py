"""The secrets that this process knows: no log line, span, dead letter or ledger entry quotes them.

They are found by value, and what follows Basic or Bearer is hidden whatever it is: it has a token in base64. The tokens of
Twilio, of which there may be very many, are looked up in a set; any others are searched for one by one, as they are and as a
URL, JSON or Python quotes them.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from hookline_shared.observability.redaction import HIDDEN

_TOKEN: Final = re.compile(r"[0-9a-f]{32}")
_DIGITS: Final = re.compile(r"[0-9a-fA-F]{32,}")
_AUTHORIZATION: Final = re.compile(r"\b(Basic|Bearer)((?:\s|%20|\+)+)[A-Za-z0-9+/=._~%-]{16,}", re.IGNORECASE)
_TOKEN_LENGTH: Final = 32
_LONGEST_WORD: Final = 12
"""A secret of so many letters and nothing else may be a part of ordinary words, and is hidden only as a whole one."""
_LONGEST_RUN: Final = 4096
"""A longer run of hexadecimal digits is hidden as a whole: searching it for tokens would take too long."""


class KnownSecrets:
    """Secrets to hide in texts. Used by any thread."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._tokens: set[str] = set()
        self._others: tuple[str, ...] = ()
        self._longest = _TOKEN_LENGTH
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Hide these, too."""
        found = {secret for secret in secrets if secret}
        tokens = set(filter(_TOKEN.fullmatch, found))
        self._tokens |= tokens  # in place: there may be many, added one by one. Who reads them only looks one up
        if not found - tokens:
            return
        others = {*self._others, *(spelling for secret in found - tokens for spelling in _spellings(secret))}
        self._others = tuple(sorted(others, key=len, reverse=True))  # one may contain another
        self._longest = max([_TOKEN_LENGTH, *map(len, others)])

    def hide(self, text: str) -> str:
        """Return `text` with `[redacted]` in place of every secret."""
        for secret in self._others:
            if secret in text:
                text = _without(secret, text)
        text = _AUTHORIZATION.sub(rf"\1\2{HIDDEN}", text)
        return _DIGITS.sub(self._hide_tokens, text) if self._tokens else text

    def hide_in_start(self, text: str, length: int) -> str:
        """Return the first `length` characters of `text` without secrets, in a time that does not depend on the rest."""
        if len(text) <= length + self._longest:
            return self.hide(text)[:length]
        return self.hide(text[: length + self._longest])[: -self._longest][:length]

    def hide_in_end(self, text: str, length: int) -> str:
        """Return the last `length` characters of `text` without secrets, in a time that does not depend on the rest."""
        if len(text) <= length + self._longest:
            return self.hide(text)[-length:]
        return self.hide(text[-length - self._longest :])[self._longest :][-length:]

    def _hide_tokens(self, digits: re.Match[str]) -> str:
        """Return a run of hexadecimal digits without the tokens in it."""
        run = digits[0]
        if len(run) > _LONGEST_RUN:
            return HIDDEN
        folded, parts, at, kept = run.lower(), [], 0, 0
        while at + _TOKEN_LENGTH <= len(run):
            if folded[at : at + _TOKEN_LENGTH] in self._tokens:
                parts += [run[kept:at], HIDDEN]
                kept = at = at + _TOKEN_LENGTH
            else:
                at += 1
        return "".join([*parts, run[kept:]])


def _spellings(secret: str) -> Iterator[str]:
    """Yield `secret` as it is, and as it stands in a URL, in JSON and in Python."""
    yield secret
    encoded = secret.encode(errors="replace")
    yield from (quote(encoded, safe=""), quote(encoded), quote_plus(encoded))
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1])


def _without(secret: str, text: str) -> str:
    if len(secret) >= _LONGEST_WORD or not secret.isalpha():
        return text.replace(secret, HIDDEN)
    return re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)


SECRETS: Final = KnownSecrets()
"""Those of this process, whoever writes what."""
