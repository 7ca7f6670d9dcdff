"""Translates a verified request into its events. Pure, except for the random part of an event id."""

from collections.abc import Mapping
from typing import Final

import msgspec

from hookline_ingress.http.request import Request
from hookline_ingress.translation.catalogue import EVENT_STREAM, SENDGRID_EVENT, classify
from hookline_ingress.translation.content import ACCOUNT_NAMES, Content, account_of, elements, members
from hookline_ingress.translation.kind import KeyFields, Kind, dedupe_key, ordering_key
from hookline_shared.event import Event, new_event_id
from hookline_shared.forms import EMPTY

_JSON: Final = "application/json"
_JSON_ONLY: Final = (EVENT_STREAM, SENDGRID_EVENT)


class RequestFields(msgspec.Struct, frozen=True, gc=False):
    """The fields that all events of a request share. `received_at` is Unix time in milliseconds; `signer` names the secret."""

    received_at: int
    signature: str
    signer: str


class TranslatedEvent(msgspec.Struct, frozen=True, gc=False):
    """One event, with its kind and its parameters."""

    kind: Kind
    params: Mapping[str, str]
    event: Event


def translate(
    request: Request, content: Content, expected: Kind | None, request_fields: RequestFields
) -> list[TranslatedEvent]:
    """Return the events of `request`: one for each element of a JSON array, in their order, otherwise a single one.

    Raises:
        TooManyElementsError: if that array is too long.

    """
    if content.body is not None and (several := elements(content.body)) is not None:
        kind = SENDGRID_EVENT if expected is SENDGRID_EVENT else EVENT_STREAM
        return [_element(request, content, kind, element, request_fields) for element in several]
    is_form = content.body is None
    if not is_form and EVENT_STREAM.matches(content.params):
        kind = EVENT_STREAM
    else:
        kind = classify(content.params, None if is_form and expected in _JSON_ONLY else expected)
    key_fields = KeyFields(content.path, content.params, content.form, content.rest)
    return [_event(request, kind, key_fields, request.body, request.headers.get("Content-Type", ""), request_fields)]


def _element(request: Request, content: Content, kind: Kind, element: bytes, request_fields: RequestFields) -> TranslatedEvent:
    """Return the event of one element. Its account is ignored, since the signature was verified for none."""
    params = {name: value for name, value in members(element).items() if name not in ACCOUNT_NAMES}
    key_fields = KeyFields(content.path, params, EMPTY, element)
    return _event(request, kind, key_fields, element, _JSON, request_fields)


def _event(
    request: Request, kind: Kind, key_fields: KeyFields, body: bytes, content_type: str, request_fields: RequestFields
) -> TranslatedEvent:
    params = key_fields.params
    name = kind.name_of(params)
    event = Event(
        id=new_event_id(request_fields.received_at),
        kind=name,
        key=ordering_key(kind, key_fields),
        dedupe_key=dedupe_key(kind, name, key_fields),
        received_at=request_fields.received_at,
        account=account_of(params),
        content_type=_text(content_type),
        target=request.target,
        body=body,
        signature=request_fields.signature,
        signer=request_fields.signer,
        traceparent=_text(request.headers.get("traceparent", "")),
    )
    return TranslatedEvent(kind, params, event)


def _text(header: str) -> str:
    """Return `header` with bytes that are not UTF-8 replaced. The signature does not cover headers."""
    return header if header.isascii() else header.encode(errors="replace").decode()
