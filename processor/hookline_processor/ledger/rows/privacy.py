"""What of an event's content the ledger keeps: all, hashes, or nothing. Pure.

Content is every value that is not known to be harmless, as for logs, and is not one of the addresses by which people search.
"""

from hashlib import sha256
from typing import Any, Final

from hookline_processor.events.webhook_event import is_harmless
from hookline_processor.ledger.body_policy import BodyPolicy

_KEPT: Final = frozenset(
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
"""Names whose values stay: who, and what the envelope of a CloudEvent or a SendGrid event says."""


def kept_text(text: str | None, bodies: BodyPolicy) -> str | None:
    """Return what is kept of a text that is content."""
    if bodies is BodyPolicy.KEEP or not text:
        return text
    return f"sha256:{sha256(text.encode()).hexdigest()}" if bodies is BodyPolicy.HASH else None


def kept(value: Any, bodies: BodyPolicy) -> Any:
    """Return what is kept of an event's parameters, a JSON value."""
    return value if bodies is BodyPolicy.KEEP else _kept_member("", value, bodies)


def _kept_member(name: str, value: Any, bodies: BodyPolicy) -> Any:
    if isinstance(value, dict):
        return {own: _kept_member(own, member, bodies) for own, member in value.items()}
    if isinstance(value, list):
        return [_kept_member(name, item, bodies) for item in value]
    if value is None or isinstance(value, bool) or name in _KEPT or is_harmless(name):
        return value
    return kept_text(str(value), bodies)
