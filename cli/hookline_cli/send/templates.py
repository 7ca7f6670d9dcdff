"""The webhooks that `hookline send` can make: their names, paths and content. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from hookline_processor.samples.webhook import Webhook, sample
from hookline_shared.catalogue.kinds import ALL, FAMILIES, SINGLE
from hookline_shared.errors import HooklineError

SENDGRID: Final = "/sendgrid"
"""The path of webhooks that SendGrid signs."""

_IN_ARRAYS: Final = frozenset(kind.name for kind in ALL if kind.elements)
_JSON: Final = "application/json"
_MOST_SENDERS: Final = 1_000_000
_FIRST_NUMBER: Final = 4_155_000_000


class WebhookTemplate(NamedTuple):
    """A kind, its path on ingress, and the parameter that names the sender, empty if there is none."""

    kind: str
    path: str
    sender: str = ""


SHORT: Final[Mapping[str, WebhookTemplate]] = {
    kind.sample.short: WebhookTemplate(
        f"{kind.name}.{kind.sample.event}" if kind.sample.event else kind.name, kind.sample.path, kind.sample.sender
    )
    for kind in ALL
}
"""By short name, which stands for the most common kind of a family."""


class UnknownKindError(HooklineError):
    """There is no such kind of webhook."""

    def __init__(self, name: str) -> None:
        family = ", ".join(f"{family}.…" for family in FAMILIES)
        super().__init__(f"{name!r} is neither a short name ({', '.join(SHORT)}) nor a kind ({', '.join(SINGLE)}, {family}).")


def names() -> list[str]:
    """Return every short name, and the kinds without a family."""
    return [*SHORT, *(kind for kind in SINGLE if kind not in SHORT)]


def find(name: str) -> WebhookTemplate:
    """Return the webhook with the short name or kind `name`.

    Raises:
        UnknownKindError: if there is none.

    """
    if name in SHORT:
        return SHORT[name]
    family, dot, what = name.partition(".")
    for one in SHORT.values():
        if one.kind == name or (dot and what and family in FAMILIES and one.kind.startswith(f"{family}.")):
            return one._replace(kind=name)
    raise UnknownKindError(name)


def numbers(count: int) -> Sequence[str]:
    """Return `count` different phone numbers, a million at most."""
    return [f"+1{_FIRST_NUMBER + number}" for number in range(min(count, _MOST_SENDERS))]


class WebhookFactory(NamedTuple):
    """How to make webhooks: with changed parameters, from each of `senders` in turn, or with a given JSON body."""

    what: WebhookTemplate
    changes: Mapping[str, str]
    senders: Sequence[str] = ()
    json_body: bytes | None = None

    def make(self, number: int) -> Webhook:
        """Return webhook `number`, counted from 0. It has its own SIDs, unless the body is given."""
        if self.json_body is not None:
            return Webhook({}, _JSON, self.json_body)
        own = {self.what.sender: self.senders[number % len(self.senders)]} if self.what.sender and self.senders else {}
        made = sample(self.what.kind, {**own, **self.changes})
        if self.what.kind in _IN_ARRAYS:
            return made._replace(body=msgspec.json.encode([made.params]))
        return made
