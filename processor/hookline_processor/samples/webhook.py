"""Making a sample webhook of any kind."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import msgspec

from hookline_processor.samples import phone, products
from hookline_processor.samples.sids import Overrides
from hookline_shared.forms import FORM
from hookline_shared.kinds import FAMILIES, SINGLE

_JSON: Final = "application/json"

_SINGLE: Final[Mapping[str, Callable[[Overrides], Mapping[str, object]]]] = {
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
_FAMILIES: Final[Mapping[str, Callable[[str, Overrides], Mapping[str, object]]]] = {
    "conversation": products.conversation,
    "taskrouter": products.taskrouter,
    "verify": products.verify,
    "sync": products.sync,
    "debugger": products.debugger,
}
_SENT_AS_JSON: Final = frozenset({"event.stream", "sendgrid.event"})


class Webhook(NamedTuple):
    """A sample webhook: the parameters of its form or the members of its JSON, and the body with them encoded."""

    params: Mapping[str, Any]
    content_type: str
    body: bytes


def sample(kind: str, overrides: Overrides) -> Webhook:
    """Return a realistic webhook of `kind`. `overrides` replace and add parameters; None removes one.

    In a family, every name is a kind: "conversation.onMessageAdded", "taskrouter.task.created".

    Raises:
        ValueError: if the kind does not exist.

    """
    params = {name: value for name, value in {**_defaults(kind, overrides), **overrides}.items() if value is not None}
    if kind in _SENT_AS_JSON:
        return Webhook(params, _JSON, msgspec.json.encode(params))
    form = {name: str(value) for name, value in params.items()}
    return Webhook(form, f"{FORM}; charset=UTF-8", urlencode(form).encode())


def _defaults(kind: str, overrides: Overrides) -> Mapping[str, object]:
    if kind in _SINGLE:
        return _SINGLE[kind](overrides)
    family, _, event_type = kind.partition(".")
    if family in _FAMILIES and event_type:
        return _FAMILIES[family](event_type, overrides)
    kinds = [*SINGLE, *(f"{family}.…" for family in FAMILIES)]
    raise ValueError(f'"{kind}" is not a kind of event. The kinds are {", ".join(kinds)}.')
