"""Conversation Orchestrator, Conversation Intelligence, and Frontline."""

from collections.abc import Mapping
from typing import Any, Final

from hookline_shared import topics
from hookline_shared.catalogue.fields import Json, Text
from hookline_shared.catalogue.kind import CONTENT, Key, Kind, Template, has, joined, key
from hookline_shared.catalogue.sids import Params
from hookline_shared.catalogue.webhook_event import WebhookEvent
from hookline_shared.parsing.json_body import decode_json, members_of

__all__ = ["FrontlineRequest", "OperatorResults", "OrchestratorEvent", "TranscriptEvent"]

_ACCOUNT: Final = "AC00000000000000000000000000000001"
_HAPPENED_AT: Final = "2025-06-19T15:00:00.611Z"


class OrchestratorEvent(WebhookEvent):
    """Something happened in Conversation Orchestrator. `event_type` says what, for example COMMUNICATION_CREATED.

    `data` is the resource.
    """

    kind = "orchestrator.*"
    event_type = Text("eventType")
    timestamp = Text("timestamp")
    data = Json("data")

    @property
    def conversation_id(self) -> str:
        """The id of the conversation, empty if Twilio did not send it."""
        return _conversation_id(self.params)


class TranscriptEvent(WebhookEvent):
    """Conversation Intelligence (classic) has a transcript. `event_type` says so: voice_intelligence_transcript_available."""

    kind = "intelligence.*"
    event_type = Text("event_type")
    transcript_sid = Text("transcript_sid")
    service_sid = Text("service_sid")
    customer_key = Text("customer_key")


class OperatorResults(WebhookEvent):
    """Conversation Intelligence has results of language operators for a conversation."""

    kind = "operator_results"
    conversation_id = Text("conversationId")
    intelligence_configuration = Json("intelligenceConfiguration")
    operator_results = Json("operatorResults")


class FrontlineRequest(WebhookEvent):
    """Frontline asks for something. `location` says what, for example GetCustomersList. The route's reply answers it."""

    kind = "frontline.*"
    location = Text("Location")
    worker = Text("Worker")
    customer_id = Text("CustomerId")
    channel_type = Text("ChannelType")
    channel_value = Text("ChannelValue")
    conversation_sid = Text("ConversationSid")
    query_text = Text("Query")


def _resource(params: Params) -> Mapping[str, str]:
    """Return the members of the resource in an event of the Orchestrator."""
    return members_of(decode_json(params.get("data", "").encode()))


def _conversation_id(params: Params) -> str:
    resource = _resource(params)
    return resource.get("conversationId") or resource.get("id", "")


def _orchestrator_key(params: Params) -> str:
    resource = _resource(params).get("id", "")
    when = params.get("timestamp", "")
    return joined(resource, when) if resource and when else ""


_OPERATOR_RESULT: Final[dict[str, Any]] = {
    "id": "intelligence_operatorresult_01*",
    "operator": {"id": "intelligence_operator_01", "displayName": "Sentiment", "version": 1, "parameters": {}},
    "outputFormat": "CLASSIFICATION",
    "result": "positive",
    "dateCreated": _HAPPENED_AT,
    "referenceIds": ["CH00000000000000000000000000000001"],
    "executionDetails": {"trigger": {"on": "COMMUNICATION", "timestamp": _HAPPENED_AT}, "channels": ["SMS"]},
}
ORCHESTRATOR: Final = Kind(
    name="orchestrator",
    topic=topics.CONVERSATIONS,
    condition=has("eventType", "timestamp", "data"),
    event_type=key("eventType"),
    dedupe=Key(_orchestrator_key, "`data.id`, `timestamp`"),
    ordering=Key(_conversation_id, "`data.conversationId` or `data.id`"),
    event=OrchestratorEvent,
    source="https://www.twilio.com/docs/conversations/orchestrator/webhooks",
    sample=Template(
        {
            "eventType": "<event>",
            "timestamp": _HAPPENED_AT,
            "data": {
                "id": "conv_communication_01*",
                "conversationId": "conv_conversation_01*",
                "accountId": _ACCOUNT,
                "author": {"channel": "SMS", "address": "+15005550006"},
                "content": {"type": "TEXT", "text": "Hello"},
            },
        },
        short="orchestrator",
        path="/twilio/conversation",
        event="COMMUNICATION_CREATED",
        as_json=True,
    ),
)
INTELLIGENCE: Final = Kind(
    name="intelligence",
    topic=topics.EVENTS,
    condition=has("transcript_sid", "event_type"),
    event_type=key("event_type"),
    dedupe=key("transcript_sid"),
    ordering=key("transcript_sid"),
    event=TranscriptEvent,
    source="https://www.twilio.com/docs/conversation-intelligence-classic/onboarding#webhooks",
    sample=Template(
        {
            "account_sid": _ACCOUNT,
            "service_sid": "GA00000000000000000000000000000001",
            "transcript_sid": "GT*",
            "customer_key": "order-7",
            "event_type": "<event>",
        },
        short="transcript",
        event="voice_intelligence_transcript_available",
        as_json=True,
    ),
)
OPERATOR_RESULTS: Final = Kind(
    name="operator_results",
    topic=topics.EVENTS,
    condition=has("conversationId", "operatorResults"),
    dedupe=CONTENT,
    ordering=key("conversationId"),
    event=OperatorResults,
    source="https://www.twilio.com/docs/conversations/intelligence/webhooks",
    sample=Template(
        {
            "accountId": _ACCOUNT,
            "conversationId": "conv_conversation_01*",
            "intelligenceConfiguration": {"id": "intelligence_configuration_01", "displayName": "Support", "version": 1},
            "operatorResults": [_OPERATOR_RESULT],
        },
        short="operator-results",
        as_json=True,
    ),
)
FRONTLINE: Final = Kind(
    name="frontline",
    topic=topics.EVENTS,
    condition=has("Location", "Worker"),
    event_type=key("Location"),
    dedupe=CONTENT,
    ordering=key("ConversationSid|CustomerId|Worker"),
    event=FrontlineRequest,
    source="https://www.twilio.com/docs/frontline/data-transfer-objects",
    sample=Template(
        {
            "Location": "<event>",
            "AccountSid": _ACCOUNT,
            "Worker": "zoe@example.com",
            "CustomerId": "*",
            "PageSize": "30",
        },
        short="frontline",
        event="GetCustomerDetailsByCustomerId",
    ),
)
KINDS: Final = (ORCHESTRATOR, INTELLIGENCE, OPERATOR_RESULTS, FRONTLINE)
