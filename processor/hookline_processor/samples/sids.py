"""The identifiers in sample webhooks."""

import secrets
from collections.abc import Mapping
from typing import Final

ACCOUNT_SID: Final = "AC00000000000000000000000000000001"
SENDER: Final = "+15005550006"
RECIPIENT: Final = "+15005550001"

Changes = Mapping[str, object]
"""Parameters that somebody wants otherwise than the sample has them, by Twilio's names."""


def new_sid(prefix: str) -> str:
    """Make a SID: two letters and 32 hexadecimal digits."""
    return prefix + secrets.token_hex(16)


def given_sid(changes: Changes, name: str, prefix: str) -> str:
    """Return the SID that `changes` has as `name`, else a new one: other parameters repeat it."""
    return str(changes.get(name) or new_sid(prefix))
