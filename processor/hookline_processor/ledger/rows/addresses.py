"""Phone numbers and other addresses in one spelling, so that a search finds them however they were written. Pure."""

import re
from typing import Final

ADDRESS_LIMIT: Final = 320
"""The longest e-mail address has so many characters; nothing that is dialled is longer."""

_CHANNEL: Final = re.compile(r"^(whatsapp|sms|mms|rcs|messenger|viber|line|tel):", re.IGNORECASE)
_LAYOUT: Final = re.compile(r"[\s()./\u2010-\u2015-]+")
_NUMBER: Final = re.compile(r"(\+|00)?\d+")
_SHORTEST_NATIONAL: Final = 10
"""Fewer digits without a plus are a short code, which stays as it is; E.164 allows no more than 15 with one."""


def normalised(address: str) -> str:
    """Return `address` in lower case, without its channel; a phone number as `+` and its digits, a short code as its digits.

    Twilio writes numbers with a plus, people without one, with 00, or with spaces, brackets and dashes.
    """
    bare = _CHANNEL.sub("", address.strip())
    digits = _LAYOUT.sub("", bare)
    if not _NUMBER.fullmatch(digits):
        return bare.lower()[:ADDRESS_LIMIT]
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    elif not digits.startswith("+") and len(digits) >= _SHORTEST_NATIONAL:
        digits = f"+{digits}"
    return digits[:ADDRESS_LIMIT]
