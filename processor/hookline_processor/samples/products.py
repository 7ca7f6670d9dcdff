"""Sample webhooks of other products. Functions of families take the name of the event type, as Twilio spells it."""

from uuid import uuid4

from hookline_processor.samples.sids import ACCOUNT_SID, RECIPIENT, SENDER, Overrides, new_sid, sid_or_new

_HAPPENED_AT = "2025-06-19T15:00:00.611Z"
_SERVICE = "IS00000000000000000000000000000001"


def conversation(event_type: str, _overrides: Overrides) -> dict[str, str]:
    """Return a Conversations event. The parameters are those of an added message for every event type."""
    return {
        "MessagingServiceSid": "MG00000000000000000000000000000001",
        "EventType": event_type,
        "RetryCount": "0",
        "Attributes": "{}",
        "DateCreated": _HAPPENED_AT,
        "Index": "7",
        "MessageSid": new_sid("IM"),
        "Body": "Hello",
        "Author": SENDER,
        "ChatServiceSid": _SERVICE,
        "AccountSid": ACCOUNT_SID,
        "Source": "SMS",
        "ConversationSid": new_sid("CH"),
        "ParticipantSid": new_sid("MB"),
    }


def taskrouter(event_type: str, overrides: Overrides) -> dict[str, str]:
    """Return a TaskRouter event, with a worker if it is about a reservation."""
    kind = event_type.partition(".")[0]
    sid = sid_or_new(overrides, "ResourceSid", "WR" if kind == "reservation" else "WT")
    reserved = {
        "ReservationSid": sid,
        "ReservationVersion": "0",
        "WorkerSid": new_sid("WK"),
        "WorkerName": "zoe",
        "WorkerAttributes": '{"languages":["en","fr"]}',
        "WorkerActivityName": "Idle",
    }
    return {
        "EventType": event_type,
        "AccountSid": ACCOUNT_SID,
        "WorkspaceSid": "WS00000000000000000000000000000001",
        "WorkspaceName": "Support",
        "EventDescription": f"{kind.capitalize()} {sid} {event_type}",
        "ResourceType": kind,
        "ResourceSid": sid,
        "Timestamp": "1750345200",
        "TimestampMs": "1750345200611",
        "Sid": new_sid("EV"),
        "TaskSid": sid if kind == "task" else new_sid("WT"),
        "TaskAttributes": f'{{"from":"{SENDER}"}}',
        "TaskAge": "3",
        "TaskPriority": "0",
        "TaskAssignmentStatus": "reserved" if kind == "reservation" else "pending",
        "TaskChannelUniqueName": "voice",
        "TaskQueueSid": new_sid("WQ"),
        "TaskQueueName": "English",
        "WorkflowSid": new_sid("WW"),
        "WorkflowName": "Calls",
    } | (reserved if kind == "reservation" else {})


def verify(event_type: str, _overrides: Overrides) -> dict[str, str]:
    """Return a Verify factor event, whose parameters are named in snake_case."""
    return {
        "uuid": str(uuid4()),
        "type": event_type,
        "account_sid": ACCOUNT_SID,
        "service_sid": "VA00000000000000000000000000000001",
        "entity_identity": "ff483d1ff591898a9942916050d2ca3f",
        "factor_sid": new_sid("YF"),
        "factor_type": "push",
        "factor_friendly_name": "Zoe's phone",
    }


def sync(event_type: str, _overrides: Overrides) -> dict[str, str]:
    """Return the change of a Sync document, list item or map item."""
    common = {
        "AccountSid": ACCOUNT_SID,
        "ServiceSid": _SERVICE,
        "EventType": event_type,
        "EndpointId": "endpoint1",
        "Identity": "zoe",
    }
    item = {"ItemRevision": "0", "ItemData": '{"table":12}'}
    if event_type.startswith("list"):
        return common | {"ListSid": new_sid("ES"), "ListUniqueName": "orders", "ItemIndex": "4"} | item
    if event_type.startswith("map"):
        return common | {"MapSid": new_sid("MP"), "MapUniqueName": "tables", "ItemKey": "terrace"} | item
    return common | {
        "DocumentSid": new_sid("ET"),
        "DocumentUniqueName": "menu",
        "DocumentRevision": "1a",
        "DocumentData": '{"soup":"tomato"}',
    }


def debugger(event_type: str, _overrides: Overrides) -> dict[str, str]:
    """Return a Debugger error or warning."""
    return {
        "ParentAccountSid": "",
        "Payload": '{"resource_sid":"CA1","service_sid":null,"error_code":"11200","more_info":{"msg":"Bad Gateway"}}',
        "Level": event_type.upper(),
        "Timestamp": "2025-06-19T15:00:00Z",
        "PayloadType": "application/json",
        "AccountSid": ACCOUNT_SID,
        "Sid": new_sid("NO"),
    }


def studio(_overrides: Overrides) -> dict[str, str]:
    """Return the request of a Studio widget."""
    return {
        "FlowSid": "FW00000000000000000000000000000001",
        "ExecutionSid": new_sid("FN"),
        "ContactChannelAddress": SENDER,
        "choice": "menu",
    }


def event_stream(_overrides: Overrides) -> dict[str, object]:
    """Return one event of Event Streams, a CloudEvent."""
    sid = new_sid("SM")
    return {
        "specversion": "1.0",
        "type": "com.twilio.messaging.inbound-message.received",
        "source": f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{sid}.json",
        "id": new_sid("EZ"),
        "dataschema": "https://events-schemas.twilio.com/Messaging.InboundMessageV1/5",
        "datacontenttype": "application/json",
        "time": _HAPPENED_AT,
        "data": {"messageSid": sid, "from": SENDER, "to": RECIPIENT, "body": "Hello", "numMedia": 0},
    }


def sendgrid_event(_overrides: Overrides) -> dict[str, object]:
    """Return a delivered e-mail."""
    return {
        "email": "zoe@example.com",
        "timestamp": 1750345200,
        "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
        "event": "delivered",
        "category": ["newsletter"],
        "sg_event_id": new_sid("ZGVsaXZlcmVk"),
        "sg_message_id": new_sid("14c5d75ce93.dfd.64b469."),
        "response": "250 OK",
    }
