"""A kind of webhook, and the keys of its events. Pure.

Dedupe keys begin with the account and the kind, so that neither two kinds nor two accounts can ever collide. Where Twilio sent
none of the parameters that identify an event, a hash of its content does. A key that is too long is replaced by its hash.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from hookline_ingress.translation.webhook import Params, Webhook

_MAX_KEY_LENGTH: Final = 200
_NOT_CONTENT: Final = frozenset({"ErrorCode", "ErrorUrl", "RetryCount"})
"""Parameters that Twilio adds when it calls again: the same event has them or not."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True)
class Kind:
    """One kind of webhook, or a family of them.

    `dedupe` returns what identifies an event, `ordering` what identifies its conversation; both are empty if its parameters do
    not have it. `event_type` returns Twilio's name of the event, in a family. `sender` returns who sent the event, for kinds of
    which one person can send too many.
    """

    name: str
    topic: str
    matches: Callable[[Params], bool]
    dedupe: Callable[[Webhook], str]
    ordering: Callable[[Webhook], str]
    event_type: Callable[[Params], str] | None = None
    sender: Callable[[Params], str] | None = None

    def name_of(self, params: Params) -> str:
        """Return the kind's whole name for an event with `params`."""
        if self.event_type is None:
            return self.name
        what = self.event_type(params)
        return f"{self.name}.{what if _PLAIN.fullmatch(what) else 'other'}"


def content_hash(webhook: Webhook) -> str:
    """Return a hash of the content, parameters in any order, without what differs between two deliveries of one event."""
    digest = sha256(webhook.rest)
    for name, value in sorted(webhook.form.pairs):
        if name not in _NOT_CONTENT:
            digest.update(f"{len(name)}:{name}{len(value)}:{value}".encode())
    return digest.hexdigest()[:32]


def join_key(first: str, *others: str) -> str:
    """Return the parts of a key, joined; empty if the first one, which identifies the resource, is empty."""
    return ":".join((first, *others)) if first else ""


def dedupe_key(kind: Kind, name: str, webhook: Webhook) -> str:
    """Return the dedupe key: the same for all deliveries of an event of `kind`. `name` is the kind's whole name."""
    return _bounded(f"{webhook.account}:{name}:{kind.dedupe(webhook) or content_hash(webhook)}")


def ordering_key(kind: Kind, webhook: Webhook) -> str:
    """Return the key within which events are handled in order."""
    return _bounded(kind.ordering(webhook) or webhook.account)


def _bounded(key: str) -> str:
    return key if len(key) <= _MAX_KEY_LENGTH else f"sha256:{sha256(key.encode()).hexdigest()}"
