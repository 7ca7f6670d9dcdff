"""The auth tokens that sign forwarded webhooks, by account."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

_BOUND: Final = re.compile(r"(AC[0-9a-fA-F]{32})=(\S+)")
_NUMBERED: Final = re.compile(r"token(\d{1,3})")


class Tokens:
    """`listed` is the value of TWILIO_AUTH_TOKEN: tokens, and ACxxx=token. `path` is a file with lines of the latter form.

    The file is read again when it changes.
    """

    def __init__(self, listed: Sequence[str], path: Path | None) -> None:
        self._listed = [_parse(one) for one in listed]
        self._path = path
        self._read_at = 0
        self._in_file: dict[str, str] = {}

    def token_of(self, account: str, signer: str) -> str | None:
        """Return the token of `account`, None if there is none.

        `signer` is the name of the secret that verified the webhook. While a token is rotated, the app expects that one.
        """
        number = _NUMBERED.fullmatch(signer)
        used = self._listed[int(number[1]) - 1 : int(number[1])] if number else []
        for owner, token in (*used, *self._listed):
            if owner and owner == account.lower():
                return token
        if in_file := self._file().get(account.lower()):
            return in_file
        return next((token for owner, token in (*used, *self._listed) if not owner), None)

    def _file(self) -> dict[str, str]:
        if self._path is None:
            return self._in_file
        try:
            changed_at = self._path.stat().st_mtime_ns
            if changed_at != self._read_at:
                self._in_file, self._read_at = _bound(self._path.read_text().splitlines()), changed_at
        except (OSError, ValueError):
            pass  # the tokens that were read before go on signing, and ingress reports the file
        return self._in_file


def _parse(item: str) -> tuple[str, str]:
    """Return the account of a token in lower case, empty if it is for all accounts, and the token."""
    found = _BOUND.fullmatch(item)
    return (found[1].lower(), found[2]) if found else ("", item)


def _bound(lines: Iterable[str]) -> dict[str, str]:
    found = (_BOUND.fullmatch(line.strip()) for line in lines)
    tokens: dict[str, str] = {}
    for one in found:
        if one:
            tokens.setdefault(one[1].lower(), one[2])
    return tokens
