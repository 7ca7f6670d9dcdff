"""Events as handlers get them, from the parameters or the JSON of a webhook."""

from typing import Final
from urllib.parse import urlencode

from hookline_processor.events.events import typed
from hookline_shared.catalogue.webhook_event import WebhookEvent
from hookline_shared.event import Event
from tests.support.inbound.webhooks import FORM

JSON: Final = "application/json; charset=utf-8"


def event_of(kind: str, params: dict[str, str]) -> WebhookEvent:
    """Return the event of a form."""
    body = urlencode(params).encode()
    event = Event(id="1", kind=kind, key="", dedupe_key="", received_at=0, content_type=FORM, target="/twilio", body=body)
    return typed(event)


def json_event(kind: str, body: bytes, target: str = "/twilio") -> WebhookEvent:
    """Return the event of a JSON body."""
    return typed(Event(id="1", kind=kind, key="", dedupe_key="", received_at=0, content_type=JSON, target=target, body=body))
