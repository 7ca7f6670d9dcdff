"""Identifiers in sample webhooks."""

import secrets
from collections.abc import Mapping
from typing import Final

SENDER: Final = "+15005550006"
RECIPIENT: Final = "+15005550001"

Overrides = Mapping[str, object]
"""Parameters that replace those of the sample, by Twilio's names."""


def new_sid(prefix: str) -> str:
    """Return a new SID: `prefix` and 32 random hexadecimal digits."""
    return prefix + secrets.token_hex(16)
