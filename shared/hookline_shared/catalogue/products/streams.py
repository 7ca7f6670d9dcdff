"""Event Streams, Studio, and whatever Hookline does not know."""

from typing import Any, Final

from hookline_shared import topics
from hookline_shared.catalogue.fields import Text
from hookline_shared.catalogue.kind import CONTENT, Condition, Key, Kind, Template, has, key
from hookline_shared.catalogue.sids import resource_of
from hookline_shared.catalogue.webhook_event import WebhookEvent

__all__ = ["StreamEvent", "StudioEvent"]

_ACCOUNT: Final = "AC00000000000000000000000000000001"


class StreamEvent(WebhookEvent):
    """One event of Event Streams, a CloudEvent. `event_id` is its own id; `id` is Hookline's."""

    kind = "event.stream"
    event_id = Text("id")
    type = Text("type")
    source = Text("source")
    time = Text("time")
    dataschema = Text("dataschema")

    @property
    def data(self) -> Any:
        """The decoded data of the CloudEvent, or None if there is none."""
        return self.json.get("data") if isinstance(self.json, dict) else None


class StudioEvent(WebhookEvent):
    """A Studio flow sent a request. Its parameters are mostly those that the widget defines: see `params`."""

    kind = "studio"
    flow_sid = Text("FlowSid")
    execution_sid = Text("ExecutionSid")


EVENT_STREAM: Final = Kind(
    name="event.stream",
    topic=topics.EVENTS,
    condition=has("specversion", "id", "type"),
    dedupe=key("id"),
    ordering=key("source"),
    elements=True,
    lost_after_4xx=True,
    event=StreamEvent,
    source="https://www.twilio.com/docs/events/event-delivery-webhook",
    sample=Template(
        {
            "specversion": "1.0",
            "type": "com.twilio.messaging.inbound-message.received",
            "source": f"/2010-04-01/Accounts/{_ACCOUNT}/Messages/SM*.json",
            "id": "EZ*",
            "dataschema": "https://events-schemas.twilio.com/Messaging.InboundMessageV1/5",
            "datacontenttype": "application/json",
            "time": "2025-06-19T15:00:00.611Z",
            "data": {"messageSid": "SM*", "from": "+15005550006", "to": "+15005550001", "body": "Hello", "numMedia": 0},
        },
        short="events",
        path="/twilio/events",
        as_json=True,
    ),
)
STUDIO: Final = Kind(
    name="studio",
    topic=topics.EVENTS,
    condition=has("ExecutionSid|FlowSid"),
    dedupe=key("ExecutionSid"),
    steps=True,
    ordering=key("ExecutionSid"),
    accepts=True,
    event=StudioEvent,
    source="https://www.twilio.com/docs/studio/widget-library/http-request",
    sample=Template(
        {
            "FlowSid": "FW00000000000000000000000000000001",
            "ExecutionSid": "FN*",
            "ContactChannelAddress": "+15005550006",
            "choice": "menu",
        },
        short="studio",
        path="/twilio/studio",
        sender="ContactChannelAddress",
    ),
)
UNKNOWN: Final = Kind(
    name="unknown",
    topic=topics.EVENTS,
    condition=Condition(lambda _params: False, "nothing above"),
    dedupe=CONTENT,
    ordering=Key(resource_of, "the SID of the most specific resource; without a SID: none"),
    accepts=True,
    event=WebhookEvent,
    source="a product that Hookline does not know",
    sample=Template({"AccountSid": _ACCOUNT, "GizmoSid": "GZ*", "GizmoStatus": "delivered"}, short="unknown"),
)
KINDS: Final = (STUDIO, EVENT_STREAM, UNKNOWN)
