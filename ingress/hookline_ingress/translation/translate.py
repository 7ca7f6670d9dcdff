"""Translates a verified request into its events. Pure, except for the random part of an event id."""

from typing import Final

import msgspec

from hookline_ingress.translation.catalogue import EVENT_STREAM, SENDGRID_EVENT, classify
from hookline_ingress.translation.kind import Kind, dedupe_key, ordering_key
from hookline_ingress.translation.webhook import Params, Webhook, elements
from hookline_shared.event import Event, new_event_id

_JSON_ONLY: Final = (EVENT_STREAM, SENDGRID_EVENT)


class TranslatedEvent(msgspec.Struct, frozen=True, gc=False):
    """One event, with its kind and its parameters."""

    kind: Kind
    params: Params
    event: Event


def translate(webhook: Webhook, signer: str, expected: Kind | None) -> list[TranslatedEvent]:
    """Return the events of `webhook`: one for each element of a JSON array, in their order, otherwise a single one.

    `signer` is the name of the secret that verified it. `expected` is the kind of what is not recognised by its parameters.

    Raises:
        TooManyElementsError: if that array is too long.

    """
    if webhook.signed_body is None:
        kind = classify(webhook.params, None if expected in _JSON_ONLY else expected)
    elif (several := elements(webhook.body)) is not None:
        kind = SENDGRID_EVENT if expected is SENDGRID_EVENT else EVENT_STREAM
        return [_event(webhook.element(one), kind, signer) for one in several]
    elif expected is SENDGRID_EVENT:
        kind = SENDGRID_EVENT
    else:
        kind = EVENT_STREAM if EVENT_STREAM.matches(webhook.params) else classify(webhook.params, expected)
    return [_event(webhook, kind, signer)]


def _event(webhook: Webhook, kind: Kind, signer: str) -> TranslatedEvent:
    request, params = webhook.request, webhook.params
    name = kind.name_of(params)
    event = Event(
        id=new_event_id(webhook.received_at),
        kind=name,
        key=ordering_key(kind, webhook),
        dedupe_key=dedupe_key(kind, name, webhook),
        received_at=webhook.received_at,
        account=webhook.account,
        content_type=_text(webhook.content_type),
        target=request.target,
        body=webhook.body,
        signature=webhook.signature,
        signer=signer,
        traceparent=_text(request.headers.get("traceparent", "")),
        method=request.method,
    )
    return TranslatedEvent(kind, params, event)


def _text(header: str) -> str:
    """Return `header` with bytes that are not UTF-8 replaced. The signature does not cover headers."""
    return header if header.isascii() else header.encode(errors="replace").decode()
