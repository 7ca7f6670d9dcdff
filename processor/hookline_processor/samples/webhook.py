"""Making a sample webhook of any kind from its template in the catalogue."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode
from uuid import uuid4

import msgspec

from hookline_processor.samples.sids import Overrides, new_sid
from hookline_shared.catalogue.kind import Kind
from hookline_shared.catalogue.kinds import FAMILIES, SINGLE, kind_of
from hookline_shared.parsing.forms import FORM

_JSON: Final = "application/json"
_BOUNDARY: Final = "xYzZY"
_MULTIPART: Final = frozenset({"email.received"})
_NEW: Final = re.compile(r"([A-Z]{2})?\*")
_OTHER: Final = re.compile(r"<([A-Za-z_]+)>")


class Webhook(NamedTuple):
    """A sample webhook: the parameters of its form or the members of its JSON, and the body with them encoded."""

    params: Mapping[str, Any]
    content_type: str
    body: bytes


def sample(name: str, overrides: Overrides) -> Webhook:
    """Return a realistic webhook of the kind `name`. `overrides` replace and add parameters; None removes one.

    In a family, every name is a kind: "conversation.onMessageAdded", "taskrouter.task.created".

    Raises:
        ValueError: if the kind does not exist.

    """
    kind = kind_of(name)
    event = name.partition(".")[2] if kind is not None and kind.event_type is not None else ""
    if kind is None or (kind.event_type is not None and not event):
        kinds = [*SINGLE, *(f"{family}.…" for family in FAMILIES)]
        raise ValueError(f'"{name}" is not a kind of event. The kinds are {", ".join(kinds)}.')
    return encoded(kind, {name: value for name, value in _filled(kind, event, overrides).items() if value is not None})


def encoded(kind: Kind, params: Mapping[str, Any]) -> Webhook:
    """Return the webhook of `kind` with `params`, encoded as its product sends it."""
    if kind.sample.as_json:
        return Webhook(params, _JSON, msgspec.json.encode(params))
    form = {name: str(value) for name, value in params.items()}
    if kind.name in _MULTIPART:
        return Webhook(form, f"multipart/form-data; boundary={_BOUNDARY}", _multipart(form))
    return Webhook(form, f"{FORM}; charset=UTF-8", urlencode(form).encode())


def _filled(kind: Kind, event: str, overrides: Overrides) -> dict[str, Any]:
    """Return the parameters of the template with new SIDs, in which `overrides` and what repeats them are replaced."""
    template = kind.sample.params(event) if callable(kind.sample.params) else kind.sample.params
    params = {name: _with_new_ids(value) for name, value in template.items()} | dict(overrides)
    known = params | {"event": event, "EVENT": event.upper()}
    return {name: value if name in overrides else _with_others(value, known) for name, value in params.items()}


def _with_new_ids(value: Any) -> Any:
    if isinstance(value, str):
        return str(uuid4()) if value == "uuid*" else _NEW.sub(lambda found: new_sid(found[1] or ""), value)
    if isinstance(value, dict):
        return {name: _with_new_ids(member) for name, member in value.items()}
    return [_with_new_ids(item) for item in value] if isinstance(value, list) else value


def _with_others(value: Any, known: Mapping[str, Any]) -> Any:
    if not isinstance(value, str):
        return value
    return _OTHER.sub(lambda found: str(known.get(found[1]) or "") if found[1] in known else found[0], value)


def _multipart(form: Mapping[str, str]) -> bytes:
    parts = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in form.items()
    )
    return f"{''.join(parts)}--{_BOUNDARY}--\r\n".encode()
