"""What Twilio's other products send, as forms and as JSON, and SendGrid.

Nothing here uses Hookline's code. Builders are as in `tests.support.inbound.kinds`.
"""

from typing import Any, Final
from uuid import uuid4

from tests.support.inbound.kinds import ACCOUNT, RECIPIENT, SENDER, changed, sid
from tests.support.inbound.webhooks import Params

CHAT: Final = "IS" + "3" * 32
SERVICE: Final = "MG" + "2" * 32
WORKSPACE: Final = "WS" + "4" * 32


def message_add(**changes: str | None) -> Params:
    """Return the question whether a message may be added to a conversation: it has neither a SID nor a date yet."""
    return changed(
        {
            "MessagingServiceSid": SERVICE,
            "EventType": "onMessageAdd",
            "Attributes": "{}",
            "Body": "Is the café open?",
            "Author": SENDER,
            "ChatServiceSid": CHAT,
            "AccountSid": ACCOUNT,
            "Source": "SMS",
            "ConversationSid": sid("CH"),
            "ParticipantSid": sid("MB"),
        },
        changes,
    )


def message_added(**changes: str | None) -> Params:
    """Return the message that was added to a conversation."""
    added = {
        "EventType": "onMessageAdded",
        "RetryCount": "0",
        "DateCreated": "2025-06-19T15:00:00.611Z",
        "Index": "7",
        "MessageSid": sid("IM"),
        "Media": '[{"Sid":"ME1","ContentType":"image/png","Size":81,"Filename":"menu.png"}]',
    }
    return message_add(**added | changes)


def participant_added(**changes: str | None) -> Params:
    """Return who joined a conversation, by SMS."""
    return changed(
        {
            "EventType": "onParticipantAdded",
            "ConversationSid": sid("CH"),
            "ParticipantSid": sid("MB"),
            "DateCreated": "2025-06-19T15:00:00.611Z",
            "RoleSid": sid("RL"),
            "Attributes": "{}",
            "MessagingBinding.ProxyAddress": RECIPIENT,
            "MessagingBinding.Address": SENDER,
            "MessagingBinding.Type": "sms",
            "ChatServiceSid": CHAT,
            "AccountSid": ACCOUNT,
            "Source": "API",
            "RetryCount": "0",
        },
        changes,
    )


def delivery_updated(status: str = "delivered", **changes: str | None) -> Params:
    """Return how far a conversation's message has come, to one participant."""
    return changed(
        {
            "EventType": "onDeliveryUpdated",
            "Status": status,
            "ErrorCode": "0",
            "DateUpdated": "2025-06-19T15:00:02.500Z",
            "DateCreated": "2025-06-19T15:00:00.611Z",
            "ChannelMessageSid": sid("SM"),
            "DeliveryReceiptSid": sid("DY"),
            "MessageSid": sid("IM"),
            "ParticipantSid": sid("MB"),
            "ConversationSid": sid("CH"),
            "ChatServiceSid": CHAT,
            "AccountSid": ACCOUNT,
            "Source": "SMS",
            "RetryCount": "0",
        },
        changes,
    )


def reservation(event_type: str = "reservation.created", **changes: str | None) -> Params:
    """Return the outcome of a worker's reservation for a task."""
    reservation_sid = changes.get("ResourceSid") or sid("WR")
    return changed(
        {
            "EventType": event_type,
            "AccountSid": ACCOUNT,
            "WorkspaceSid": WORKSPACE,
            "WorkspaceName": "Support",
            "EventDescription": f"Reservation {reservation_sid} {event_type}",
            "ResourceType": "reservation",
            "ResourceSid": reservation_sid,
            "Timestamp": "1750345200",
            "TimestampMs": "1750345200611",
            "Sid": sid("EV"),
            "ReservationSid": reservation_sid,
            "ReservationVersion": "0",
            "WorkerSid": sid("WK"),
            "WorkerName": "zoe",
            "WorkerAttributes": '{"languages":["en","fr"]}',
            "WorkerActivityName": "Idle",
            "TaskSid": sid("WT"),
            "TaskAttributes": f'{{"from":"{SENDER}","call_sid":"CA1"}}',
            "TaskAge": "3",
            "TaskPriority": "0",
            "TaskAssignmentStatus": "reserved",
            "TaskChannelUniqueName": "voice",
            "TaskQueueSid": sid("WQ"),
            "TaskQueueName": "English",
            "WorkflowSid": sid("WW"),
            "WorkflowName": "Calls",
        },
        changes,
    )


def task(event_type: str = "task.created", **changes: str | None) -> Params:
    """Return an update of a task: unlike a reservation, it has no worker yet."""
    task_sid = changes.get("ResourceSid") or sid("WT")
    without = dict.fromkeys(name for name, _ in reservation() if name.startswith(("Reservation", "Worker")))
    of_task = {
        "EventDescription": f"Task {task_sid} {event_type}",
        "ResourceType": "task",
        "ResourceSid": task_sid,
        "TaskSid": task_sid,
        "TaskAssignmentStatus": "pending",
    }
    return reservation(event_type, **without | of_task | changes)


def verify(event_type: str = "factor.created", **changes: str | None) -> Params:
    """Return what happened to a factor of Verify: these names are not those of all other products."""
    return changed(
        {
            "uuid": str(uuid4()),
            "type": event_type,
            "account_sid": ACCOUNT,
            "service_sid": "VA" + "5" * 32,
            "entity_identity": "ff483d1ff591898a9942916050d2ca3f",
            "factor_sid": "YF" + "6" * 32,
            "factor_type": "push",
            "factor_friendly_name": "Zoë's phone",
        },
        changes,
    )


def document_updated(**changes: str | None) -> Params:
    """Return the change of a document of Sync."""
    return changed(
        {
            "AccountSid": ACCOUNT,
            "ServiceSid": CHAT,
            "EventType": "document_updated",
            "DocumentSid": "ET" + "7" * 32,
            "DocumentUniqueName": "menu",
            "DocumentRevision": "1a",
            "DocumentData": '{"soup":"tomato"}',
            "EndpointId": "endpoint1",
            "Identity": "zoe",
        },
        changes,
    )


def list_item(event_type: str = "list_item_added", **changes: str | None) -> Params:
    """Return the change of an item in a list of Sync."""
    return changed(
        {
            "AccountSid": ACCOUNT,
            "ServiceSid": CHAT,
            "EventType": event_type,
            "ListSid": "ES" + "8" * 32,
            "ListUniqueName": "orders",
            "ItemIndex": "4",
            "ItemRevision": "0",
            "ItemData": '{"table":12}',
            "EndpointId": "endpoint1",
            "Identity": "zoe",
        },
        changes,
    )


def map_item(event_type: str = "map_item_added", **changes: str | None) -> Params:
    """Return the change of an item in a map of Sync, made by way of its API."""
    return changed(
        {
            "AccountSid": ACCOUNT,
            "ServiceSid": CHAT,
            "EventType": event_type,
            "EventId": "12",
            "MapSid": "MP" + "a" * 32,
            "MapUniqueName": "tables",
            "ItemKey": "terrace",
            "ItemRevision": "0",
            "ItemData": '{"seats":4}',
            "Identity": "system",
        },
        changes,
    )


def stream_message(**changes: str | None) -> Params:
    """Return a message that was published to a stream of Sync."""
    return changed(
        {
            "AccountSid": ACCOUNT,
            "ServiceSid": CHAT,
            "EventType": "stream_message_published",
            "StreamSid": "TO" + "b" * 32,
            "StreamMessageSid": sid("TZ"),
            "EndpointId": "endpoint1",
            "Identity": "zoe",
        },
        changes,
    )


def studio(**changes: str | None) -> Params:
    """Return what the widget of a flow was told to send."""
    flow = {"FlowSid": "FW" + "9" * 32, "ExecutionSid": sid("FN"), "ContactChannelAddress": SENDER, "choice": "menu"}
    return changed(flow, changes)


def debugger(level: str = "ERROR", **changes: str | None) -> Params:
    """Return an error that Twilio logged."""
    return changed(
        {
            "ParentAccountSid": "",
            "Payload": '{"resource_sid":"CA1","service_sid":null,"error_code":"11200","more_info":{"msg":"Bad Gateway"}}',
            "Level": level,
            "Timestamp": "2025-06-19T15:00:00Z",
            "PayloadType": "application/json",
            "AccountSid": ACCOUNT,
            "Sid": sid("NO"),
        },
        changes,
    )


def stream_event(**changes: Any) -> dict[str, Any]:
    """Return one element of an Event Streams delivery, a CloudEvent."""
    message_sid = sid("SM")
    event = {
        "specversion": "1.0",
        "type": "com.twilio.messaging.inbound-message.received",
        "source": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{message_sid}.json",
        "id": sid("EZ"),
        "dataschema": "https://events-schemas.twilio.com/Messaging.InboundMessageV1/5",
        "datacontenttype": "application/json",
        "time": "2025-06-19T15:00:00.611Z",
        "data": {"messageSid": message_sid, "from": SENDER, "to": RECIPIENT, "body": "café", "numMedia": 0},
    }
    return event | changes


def email_event(event: str = "delivered", **changes: Any) -> dict[str, Any]:
    """Return one element of a SendGrid delivery."""
    happened = {
        "email": "zoe@example.com",
        "timestamp": 1750345200,
        "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
        "event": event,
        "category": ["newsletter"],
        "sg_event_id": sid("ZGVsaXZlcmVk"),
        "sg_message_id": sid("14c5d75ce93.dfd.64b469."),
        "response": "250 OK",
    }
    return happened | changes
