"""SIDs in parameters: which account a webhook names, and which resource. Pure."""

import re
from collections.abc import Mapping
from typing import Final

Params = Mapping[str, str]
"""Decoded parameters by Twilio's names; the last value of a repeated one."""

ACCOUNT_NAMES: Final = (
    "AccountSid",
    "account_sid",
    "accountSid",
    "accountId",
    "AccountId",
    "account_id",
    "interactionAccountSid",
)
"""How products spell the account: most as the first, Verify as the second, Conversation Intelligence as `accountId`."""

PARENT_ACCOUNT: Final = "ParentAccountSid"

SID: Final = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}")
_CONTAINERS: Final = frozenset(
    {"AC", "AP", "CR", "FW", "GA", "IS", "KS", "MG", "PN", "RL", "SK", "VA", "WQ", "WS", "WW", "XE", "ZS"}
)
"""Prefixes of what many resources share: accounts, services, workspaces, flows, queues, keys, numbers. Webhooks that have only
such a SID in common have nothing to do with each other."""
_PARENTS: Final = frozenset({"CA", "CF", "CH", "RM", "WT"})
"""Prefixes of what has parts with SIDs of their own: calls, conferences, conversations, rooms, tasks."""


def account_of(params: Params) -> str:
    """Return the account that `params` name, in whichever spelling; empty if they name none."""
    return params.get("AccountSid") or next((value for name in ACCOUNT_NAMES if (value := params.get(name))), "")


def resource_of(params: Params) -> str:
    """Return the SID of the most specific resource that `params` name, whatever their order; empty if they name none."""
    found = [
        (value[:2] in _PARENTS, name, value)
        for name, value in params.items()
        if SID.fullmatch(value) and value[:2] not in _CONTAINERS
    ]
    return min(found)[2] if found else ""
