"""The webhooks that `hookline send` can make: their names, paths and content. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from hookline_processor.samples.webhook import Webhook, sample
from hookline_shared.errors import HooklineError
from hookline_shared.kinds import FAMILIES, SINGLE

SENDGRID: Final = "sendgrid.event"
_IN_ARRAYS: Final = ("event.stream", SENDGRID)
_JSON: Final = "application/json"
_MOST_SENDERS: Final = 1_000_000
_FIRST_NUMBER: Final = 4_155_000_000


class WebhookTemplate(NamedTuple):
    """A kind, its path on ingress, and the parameter that names the sender, empty if there is none."""

    kind: str
    path: str
    sender: str = ""


SHORT: Final[Mapping[str, WebhookTemplate]] = {
    "message": WebhookTemplate("message.received", "/twilio/message", "From"),
    "status": WebhookTemplate("message.status", "/twilio/status", "From"),
    "call": WebhookTemplate("call.received", "/twilio/voice", "From"),
    "call-status": WebhookTemplate("call.status", "/twilio/call-status", "From"),
    "recording": WebhookTemplate("recording.status", "/twilio/recording"),
    "transcription": WebhookTemplate("transcription", "/twilio/transcription", "From"),
    "conversation": WebhookTemplate("conversation.onMessageAdded", "/twilio/conversation", "Author"),
    "taskrouter": WebhookTemplate("taskrouter.task.created", "/twilio/taskrouter"),
    "verify": WebhookTemplate("verify.factor.created", "/twilio/verify"),
    "sync": WebhookTemplate("sync.document_updated", "/twilio/sync"),
    "studio": WebhookTemplate("studio", "/twilio/studio", "ContactChannelAddress"),
    "debugger": WebhookTemplate("debugger.error", "/twilio/debugger"),
    "events": WebhookTemplate("event.stream", "/twilio/events"),
    "sendgrid": WebhookTemplate(SENDGRID, "/sendgrid"),
    "unknown": WebhookTemplate("unknown", "/twilio"),
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
