"""A normal form of phone numbers and other addresses, so that a search finds every spelling. Pure."""

import re
from typing import Final

ADDRESS_LIMIT: Final = 320
"""The longest e-mail address has 320 characters; phone numbers are shorter."""

_CHANNEL: Final = re.compile(r"^(whatsapp|sms|mms|rcs|messenger|viber|line|tel):", re.IGNORECASE)
_LAYOUT: Final = re.compile(r"[\s()./\u2010-\u2015-]+")
_NUMBER: Final = re.compile(r"(\+|00)?\d+")
_SHORTEST_NATIONAL: Final = 10
"""Fewer digits without a plus are a short code, which stays unchanged. E.164 allows at most 15 digits after the plus."""


def normalise(address: str) -> str:
    """Return `address` in lower case without its channel; a phone number as `+` and digits, a short code as digits.

    Twilio writes numbers with a plus; people also write 00, no prefix, spaces, brackets and dashes.
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
