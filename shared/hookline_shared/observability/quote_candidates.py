"""Which of very many values a text may quote. Pure.

A sender can put a hundred thousand texts into one JSON body. Searching an error message for each would block the event loop,
and redacting the whole message would let the sender blank the log. So the pieces of the text are looked up instead of the
values: the time grows with the sum of both lengths, and the values that are left are searched for in full.
"""

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Final
from urllib.parse import unquote_plus

_BLOCK: Final = 8
_PIECE: Final = 4
"""Characters of a block of a long value, see `redaction.py`, and of the beginning of a short one."""
_LONG: Final = 2 * _BLOCK
"""Characters of the shortest value that a text may quote in part."""
_LAST_DIGITS: Final = 7
_NO_DIGITS: Final = re.compile(r"\D+", re.ASCII)
_WORD: Final = re.compile(r"\w+")


def candidates(text: str, values: Collection[str]) -> list[str]:
    """Return the values that `text` may quote, as they are, in part or encoded. Both are in lower case."""
    found = list(_decoded(text))
    blocks = {one[at : at + _BLOCK] for one in found for at in range(len(one))}
    pieces = {block[:_PIECE] for block in blocks}
    words = {word for one in found for word in _WORD.findall(one)}
    digits = _NO_DIGITS.sub("", text)
    numbers = {digits[at : at + _LAST_DIGITS] for at in range(len(digits) - _LAST_DIGITS + 1)}

    def may_be_quoted(value: str) -> bool:
        if len(value) >= _LONG and any(value[at : at + _BLOCK] in blocks for at in range(0, len(value) - _BLOCK + 1, _BLOCK)):
            return True
        if value[:_PIECE] in pieces and any(value in one for one in found):
            return True
        if len(value) < _PIECE and (value in words or not value.isalnum()):
            return any(value in one for one in found)
        return bool(numbers) and _NO_DIGITS.sub("", value)[-_LAST_DIGITS:] in numbers

    return [value for value in values if may_be_quoted(value)]


def _decoded(text: str) -> Iterator[str]:
    """Yield `text` as it is, and with the escapes of URLs, and of Python and JSON, decoded."""
    yield text
    if "%" in text or "+" in text:
        yield unquote_plus(text).lower()
    if "\\" in text:
        with suppress(ValueError):
            yield text.encode("latin-1", "backslashreplace").decode("unicode_escape").lower()
