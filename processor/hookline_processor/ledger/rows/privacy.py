"""What the ledger stores of the content of an event: all, hashes, or nothing. Pure.

Content is every value that is not known to be harmless, as for logs, and is not an address that can be searched.
"""

from hashlib import sha256
from typing import Any, Final

from hookline_processor.ledger.body_policy import BodyPolicy
from hookline_shared.catalogue.webhook_event import is_harmless

_ALWAYS_KEPT: Final = frozenset(
    {
        "From",
        "To",
        "Caller",
        "Called",
        "ForwardedFrom",
        "Author",
        "MessagingBinding.Address",
        "MessagingBinding.ProxyAddress",
        "email",
        "id",
        "type",
        "source",
        "time",
        "event",
    }
)
"""Names whose values are always stored: addresses, and the envelope of a CloudEvent or a SendGrid event."""


def text_for_policy(text: str | None, policy: BodyPolicy) -> str | None:
    """Return what `policy` allows to store of `text`, which is content."""
    if policy is BodyPolicy.KEEP or not text:
        return text
    return f"sha256:{sha256(text.encode()).hexdigest()}" if policy is BodyPolicy.HASH else None


def value_for_policy(value: Any, policy: BodyPolicy) -> Any:
    """Return what `policy` allows to store of the parameters of an event, a JSON value."""
    return value if policy is BodyPolicy.KEEP else _member_for_policy("", value, policy)


def _member_for_policy(name: str, value: Any, policy: BodyPolicy) -> Any:
    if isinstance(value, dict):
        return {own: _member_for_policy(own, member, policy) for own, member in value.items()}
    if isinstance(value, list):
        return [_member_for_policy(name, item, policy) for item in value]
    if value is None or isinstance(value, bool) or name in _ALWAYS_KEPT or is_harmless(name):
        return value
    return text_for_policy(str(value), policy)
