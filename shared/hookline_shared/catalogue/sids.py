"""SIDs in parameters: which account a webhook names, and which resource. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

Params = Mapping[str, str]
"""Decoded parameters by Twilio's names; the last value of a repeated one."""

ACCOUNT_NAMES: Final = (
    "AccountSid",
    "account_sid",
    "accountsid",
    "accountSid",
    "accountId",
    "AccountId",
    "account_id",
    "interactionAccountSid",
)
"""How products spell the account: most as the first, Verify as the second, Conversation Intelligence as `accountId`."""

PARENT_ACCOUNT: Final = "ParentAccountSid"

_ACCOUNT: Final = re.compile(r"AC[0-9a-fA-F]{32}")
_SID: Final = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}")
_CONTAINERS: Final = frozenset(
    {
        *(
            "AC",
            "AD",
            "AP",
            "BN",
            "BU",
            "CR",
            "FW",
            "GA",
            "HX",
            "IS",
            "KS",
            "MG",
            "PN",
            "QU",
            "RL",
            "SD",
            "SK",
            "TC",
            "TK",
            "VA",
        ),
        *("WA", "WQ", "WS", "WW", "XE", "ZS"),
    }
)
"""Prefixes of what many resources share: accounts, services, workspaces, flows, queues, keys, numbers. Webhooks that have only
such a SID in common have nothing to do with each other."""
_PARENTS: Final = frozenset({"CA", "CF", "CH", "RM", "WT"})
"""Prefixes of what has parts with SIDs of their own: calls, conferences, conversations, rooms, tasks."""


def account_of(params: Params, names: Iterable[str] = ACCOUNT_NAMES) -> str:
    """Return the SID of the account that `params` name, in whichever of the spellings `names`; empty if they name none.

    A value that is no account SID is none of Twilio's: the author of a Studio flow may call a customer's number `account_id`.
    """
    for name in names:
        value = params.get(name)
        if value and _ACCOUNT.fullmatch(value):
            return value
    return ""


def is_account(text: str) -> bool:
    """Whether `text` is the SID of an account."""
    return _ACCOUNT.fullmatch(text) is not None


def is_sid(text: str) -> bool:
    """Whether `text` is a SID, which no two accounts share."""
    return _SID.fullmatch(text) is not None


def resource_of(params: Params) -> str:
    """Return the SID of the most specific resource that `params` name, whatever their order; empty if they name none."""
    found = [
        (value[:2] in _PARENTS, name, value)
        for name, value in params.items()
        if _SID.fullmatch(value) and value[:2] not in _CONTAINERS
    ]
    return min(found)[2] if found else ""
