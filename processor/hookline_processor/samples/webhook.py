"""Making a sample webhook of any kind."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import msgspec

from hookline_processor.samples import phone, products
from hookline_processor.samples.sids import Changes
from hookline_shared.forms import FORM
from hookline_shared.kinds import FAMILIES, SINGLE

_JSON: Final = "application/json"

_SINGLE: Final[Mapping[str, Callable[[Changes], Mapping[str, object]]]] = {
    "message.received": phone.message_received,
    "message.status": phone.message_status,
    "call.received": phone.call_received,
    "call.status": phone.call_status,
    "recording.status": phone.recording_status,
    "transcription": phone.transcription,
    "studio": products.studio,
    "event.stream": products.event_stream,
    "sendgrid.event": products.sendgrid_event,
    "unknown": phone.unknown,
}
_FAMILIES: Final[Mapping[str, Callable[[str, Changes], Mapping[str, object]]]] = {
    "conversation": products.conversation,
    "taskrouter": products.taskrouter,
    "verify": products.verify,
    "sync": products.sync,
    "debugger": products.debugger,
}
_SENT_AS_JSON: Final = frozenset({"event.stream", "sendgrid.event"})


class Webhook(NamedTuple):
    """What is in a webhook: the parameters of its form or the members of its JSON, and both as they are sent."""

    params: Mapping[str, Any]
    content_type: str
    body: bytes


def sample(kind: str, changes: Changes) -> Webhook:
    """Return a realistic webhook of `kind` with `changes`: they replace and add parameters, and None leaves one out.

    Of a family, any name is a kind: "conversation.onMessageAdded", "taskrouter.task.created".

    Raises:
        ValueError: if there is no such kind.

    """
    params = {name: value for name, value in {**_defaults(kind, changes), **changes}.items() if value is not None}
    if kind in _SENT_AS_JSON:
        return Webhook(params, _JSON, msgspec.json.encode(params))
    form = {name: str(value) for name, value in params.items()}
    return Webhook(form, f"{FORM}; charset=UTF-8", urlencode(form).encode())


def _defaults(kind: str, changes: Changes) -> Mapping[str, object]:
    if kind in _SINGLE:
        return _SINGLE[kind](changes)
    family, _, what = kind.partition(".")
    if family in _FAMILIES and what:
        return _FAMILIES[family](what, changes)
    kinds = [*SINGLE, *(f"{family}.…" for family in FAMILIES)]
    raise ValueError(f'"{kind}" is not a kind of event. The kinds are {", ".join(kinds)}.')
