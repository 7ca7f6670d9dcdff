"""Find a SID in the fields of an entry, without decoding it. Pure."""

import re
from collections.abc import Sequence
from typing import Final

_SID: Final = re.compile(r"[A-Z]{2}[0-9a-f]{32}", re.ASCII)


def is_sid(text: str) -> bool:
    """Whether `text` is a SID: two capital letters and 32 hexadecimal digits."""
    return _SID.fullmatch(text) is not None


def mentions(fields: Sequence[bytes], sid: str) -> bool:
    """Whether one of the values in `fields`, which alternates names and values, contains `sid` as a whole word.

    A SID looks the same in a form, in JSON, in a query and by itself.
    """
    wanted = sid.encode()
    return any(wanted in value and _stands_alone(value, wanted) for value in fields[1::2])


def _stands_alone(value: bytes, word: bytes) -> bool:
    return re.search(rb"(?<![0-9A-Za-z])" + re.escape(word) + rb"(?![0-9A-Za-z])", value) is not None
