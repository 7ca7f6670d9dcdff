"""Finding a SID in what an entry holds, without decoding it. Pure."""

import re
from collections.abc import Sequence
from typing import Final

_SID: Final = re.compile(r"[A-Z]{2}[0-9a-f]{32}", re.ASCII)


def is_sid(text: str) -> bool:
    """Tell whether `text` is a SID: two capital letters and 32 hexadecimal digits."""
    return _SID.fullmatch(text) is not None


def mentions(fields: Sequence[bytes], sid: str) -> bool:
    """Tell whether one of the values among `fields`, names and values by turns, has `sid` in it as a word.

    It looks the same in a form, in JSON, in a query and by itself.
    """
    wanted = sid.encode()
    return any(wanted in value and _stands_alone(value, wanted) for value in fields[1::2])


def _stands_alone(value: bytes, word: bytes) -> bool:
    return re.search(rb"(?<![0-9A-Za-z])" + re.escape(word) + rb"(?![0-9A-Za-z])", value) is not None
