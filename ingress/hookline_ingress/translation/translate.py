"""Translates a verified request into its events. Pure, except for the random part of an event id."""

from typing import Final

import msgspec
from multidict import istr

from hookline_ingress.translation.event_keys import claim_of, dedupe_key, ordering_key
from hookline_ingress.translation.webhook import Webhook, elements
from hookline_shared.catalogue.kind import Kind
from hookline_shared.catalogue.kinds import classify
from hookline_shared.catalogue.products.email import EMAIL_RECEIVED, SENDGRID_EVENT
from hookline_shared.catalogue.products.streams import EVENT_STREAM, STUDIO, UNKNOWN
from hookline_shared.catalogue.sids import Params
from hookline_shared.event import Event, new_event_id
from hookline_shared.parsing.multipart import boundary_of

_TRACEPARENT: Final = istr("traceparent")


class TranslatedEvent(msgspec.Struct, frozen=True, gc=False):
    """One event, with its kind and its parameters."""

    kind: Kind
    params: Params
    event: Event


def translate(webhook: Webhook, signer: str, expected: Kind | None) -> list[TranslatedEvent]:
    """Return the events of `webhook`: one for each element of a JSON array, in their order, otherwise a single one.

    `signer` is the name of the secret that verified it. `expected` is the kind of what is not recognised by its parameters.
    An array is split if its route is one for arrays, or if it has events of Event Streams. An empty one has no events, except
    at the route for Studio: the author of a flow chooses what it sends.

    Raises:
        TooManyElementsError: if that array is too long.

    """
    if webhook.signed_body is None:
        return [_event(webhook, classify(webhook.params, expected, webhook.shape.kinds), signer)]
    if boundary_of(webhook.content_type):
        return [_event(webhook, _kind_of_multipart(webhook.params, expected), signer)]
    several = elements(webhook.body)
    if several is None:
        return [_event(webhook, _kind_of_json(webhook.params, expected), signer)]
    parts = [webhook.element(one) for one in several]
    if (
        (not parts and expected is not STUDIO)
        or (expected is not None and expected.elements)
        or (parts and EVENT_STREAM.condition.matches(parts[0].params))
    ):
        return [_event(part, _kind_of_element(part.params, expected), signer) for part in parts]
    return [_event(webhook, classify(webhook.params, expected), signer)]


def _kind_of_json(params: Params, expected: Kind | None) -> Kind:
    if expected is SENDGRID_EVENT or (EVENT_STREAM.condition.matches(params) and not STUDIO.condition.matches(params)):
        return _kind_of_element(params, expected)
    return classify(params, expected)


def _kind_of_element(params: Params, expected: Kind | None) -> Kind:
    """Return the kind of an element of an array: an event of Event Streams or of SendGrid, never a message or a call."""
    kind = SENDGRID_EVENT if expected is SENDGRID_EVENT else EVENT_STREAM
    return kind if kind.fits(params) else UNKNOWN


def _kind_of_multipart(params: Params, expected: Kind | None) -> Kind:
    """Return the kind of a multipart body. Only SendGrid sends such."""
    return (
        EMAIL_RECEIVED if expected in (SENDGRID_EVENT, EMAIL_RECEIVED) and EMAIL_RECEIVED.condition.matches(params) else UNKNOWN
    )


def _event(webhook: Webhook, kind: Kind, signer: str) -> TranslatedEvent:
    request, params = webhook.request, webhook.params
    name = kind.name_of(params)
    dedupe = dedupe_key(kind, name, webhook)
    key = ordering_key(kind, webhook, dedupe)
    traceparent = request.headers.get(_TRACEPARENT)
    event = Event(
        id=new_event_id(webhook.received_at),
        kind=name,
        key=key,
        dedupe_key=dedupe,
        received_at=webhook.received_at,
        account=webhook.account,
        content_type=_text(webhook.content_type),
        target=request.target,
        body=webhook.body,
        signature=webhook.signature,
        signer=signer,
        traceparent=_text(traceparent) if traceparent else "",
        method=request.method,
        claim=claim_of(kind, webhook, dedupe, key),
        text_hash=webhook.text_hash,
    )
    return TranslatedEvent(kind, params, event)


def _text(header: str) -> str:
    """Return `header` with bytes that are not UTF-8 replaced. The signature does not cover headers."""
    return header if header.isascii() else header.encode(errors="replace").decode()
