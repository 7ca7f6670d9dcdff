"""One row for each kind of webhook: what it is, where it goes, and its keys."""

from typing import NamedTuple

from hookline_shared import topics
from tests.support.inbound.kinds import (
    ACCOUNT,
    RECIPIENT,
    SENDER,
    call,
    call_status,
    live_transcription,
    message,
    message_status,
    picture_message,
    recording_status,
    transcription,
    unknown,
    whatsapp_message,
    whatsapp_status,
)
from tests.support.inbound.products import (
    debugger,
    delivery_updated,
    document_updated,
    list_item,
    map_item,
    message_add,
    message_added,
    participant_added,
    reservation,
    stream_message,
    studio,
    task,
    verify,
)
from tests.support.inbound.webhooks import Params

CA1 = "CA" + "1" * 32
CF1 = "CF" + "1" * 32
CH1 = "CH" + "1" * 32
DY1 = "DY" + "1" * 32
ES1 = "ES" + "1" * 32
ET1 = "ET" + "1" * 32
FN1 = "FN" + "1" * 32
GT1 = "GT" + "1" * 32
IM1 = "IM" + "1" * 32
MB1 = "MB" + "1" * 32
MM1 = "MM" + "1" * 32
MP1 = "MP" + "1" * 32
NO1 = "NO" + "1" * 32
RE1 = "RE" + "1" * 32
SM1 = "SM" + "1" * 32
TO1 = "TO" + "1" * 32
TR1 = "TR" + "1" * 32
TZ1 = "TZ" + "1" * 32
WR1 = "WR" + "1" * 32
WT1 = "WT" + "1" * 32
YF1 = "YF" + "1" * 32


class Case(NamedTuple):
    """A webhook and the expected result. `dedupe` is None where it is a hash, `ordering` "alone" where it has its own lane."""

    params: Params
    kind: str
    topic: str
    ordering: str
    dedupe: str | None


CASES = {
    "SMS": Case(
        message(MessageSid=SM1),
        "message.received",
        topics.MESSAGES,
        f"{SENDER}:{RECIPIENT}",
        f"{ACCOUNT}:message.received:{SM1}",
    ),
    "SMS without a body": Case(
        message(MessageSid=SM1, Body=None),
        "message.received",
        topics.MESSAGES,
        f"{SENDER}:{RECIPIENT}",
        f"{ACCOUNT}:message.received:{SM1}",
    ),
    "SMS with the older SID only": Case(
        message(MessageSid=None, SmsSid=SM1),
        "message.received",
        topics.MESSAGES,
        f"{SENDER}:{RECIPIENT}",
        f"{ACCOUNT}:message.received:{SM1}",
    ),
    "MMS": Case(
        picture_message(MessageSid=MM1),
        "message.received",
        topics.MESSAGES,
        f"{SENDER}:{RECIPIENT}",
        f"{ACCOUNT}:message.received:{MM1}",
    ),
    "WhatsApp": Case(
        whatsapp_message(MessageSid=SM1),
        "message.received",
        topics.MESSAGES,
        f"whatsapp:{SENDER}:whatsapp:{RECIPIENT}",
        f"{ACCOUNT}:message.received:{SM1}",
    ),
    "SMS sent": Case(
        message_status("sent", MessageSid=SM1),
        "message.status",
        topics.STATUSES,
        SM1,
        f"{ACCOUNT}:message.status:{SM1}:sent:",
    ),
    "SMS undelivered": Case(
        message_status("undelivered", MessageSid=SM1, ErrorCode="30003"),
        "message.status",
        topics.STATUSES,
        SM1,
        f"{ACCOUNT}:message.status:{SM1}:undelivered:",
    ),
    "WhatsApp delivered": Case(
        whatsapp_status("delivered", "DELIVERED", MessageSid=SM1),
        "message.status",
        topics.STATUSES,
        SM1,
        f"{ACCOUNT}:message.status:{SM1}:delivered:DELIVERED",
    ),
    "WhatsApp read": Case(
        whatsapp_status("read", "READ", MessageSid=SM1),
        "message.status",
        topics.STATUSES,
        SM1,
        f"{ACCOUNT}:message.status:{SM1}:read:READ",
    ),
    "call": Case(call(CallSid=CA1), "call.received", topics.CALLS, CA1, None),
    "call step": Case(call(CallSid=CA1, CallStatus="in-progress", Digits="5"), "call.received", topics.CALLS, CA1, None),
    "call completed": Case(
        call_status("completed", CallSid=CA1, SequenceNumber="3"),
        "call.status",
        topics.STATUSES,
        CA1,
        f"{ACCOUNT}:call.status:{CA1}:3",
    ),
    "call initiated": Case(
        call_status("initiated", CallSid=CA1, SequenceNumber="0"),
        "call.status",
        topics.STATUSES,
        CA1,
        f"{ACCOUNT}:call.status:{CA1}:0",
    ),
    "call completed, unnumbered": Case(
        call_status("completed", CallSid=CA1, SequenceNumber=None),
        "call.status",
        topics.STATUSES,
        CA1,
        f"{ACCOUNT}:call.status:{CA1}:completed",
    ),
    "recording": Case(
        recording_status("completed", RecordingSid=RE1, CallSid=CA1),
        "recording.status",
        topics.STATUSES,
        CA1,
        f"{ACCOUNT}:recording.status:{RE1}:completed",
    ),
    "recording of a conference": Case(
        recording_status("absent", RecordingSid=RE1, CallSid=None, ConferenceSid=CF1),
        "recording.status",
        topics.STATUSES,
        RE1,
        f"{ACCOUNT}:recording.status:{RE1}:absent",
    ),
    "transcription of a recording": Case(
        transcription("completed", TranscriptionSid=TR1, CallSid=CA1),
        "transcription",
        topics.STATUSES,
        CA1,
        f"{ACCOUNT}:transcription:{TR1}:completed::",
    ),
    "transcription of a call": Case(
        live_transcription("transcription-content", TranscriptionSid=GT1, CallSid=CA1, SequenceId="2"),
        "transcription",
        topics.STATUSES,
        CA1,
        f"{ACCOUNT}:transcription:{GT1}::transcription-content:2",
    ),
    "message added": Case(
        message_added(ConversationSid=CH1, MessageSid=IM1, DateCreated="2025"),
        "conversation.onMessageAdded",
        topics.CONVERSATIONS,
        CH1,
        f"{ACCOUNT}:conversation.onMessageAdded:onMessageAdded:{IM1}:2025:",
    ),
    "message updated": Case(
        message_added(ConversationSid=CH1, MessageSid=IM1, EventType="onMessageUpdated", DateUpdated="2026"),
        "conversation.onMessageUpdated",
        topics.CONVERSATIONS,
        CH1,
        f"{ACCOUNT}:conversation.onMessageUpdated:onMessageUpdated:{IM1}:2026:",
    ),
    "delivery updated": Case(
        delivery_updated("read", ConversationSid=CH1, DeliveryReceiptSid=DY1, DateUpdated="2026"),
        "conversation.onDeliveryUpdated",
        topics.CONVERSATIONS,
        CH1,
        f"{ACCOUNT}:conversation.onDeliveryUpdated:onDeliveryUpdated:{DY1}:2026:read",
    ),
    "participant added": Case(
        participant_added(ConversationSid=CH1, ParticipantSid=MB1, DateCreated="2025"),
        "conversation.onParticipantAdded",
        topics.CONVERSATIONS,
        CH1,
        f"{ACCOUNT}:conversation.onParticipantAdded:onParticipantAdded:{MB1}:2025:",
    ),
    "message to be added": Case(message_add(ConversationSid=CH1), "conversation.onMessageAdd", topics.CONVERSATIONS, CH1, None),
    "reservation": Case(
        reservation("reservation.created", ResourceSid=WR1, TimestampMs="17"),
        "taskrouter.reservation.created",
        topics.EVENTS,
        WR1,
        f"{ACCOUNT}:taskrouter.reservation.created:reservation.created:{WR1}:17",
    ),
    "reservation, in seconds only": Case(
        reservation("reservation.created", ResourceSid=WR1, TimestampMs=None, Timestamp="17"),
        "taskrouter.reservation.created",
        topics.EVENTS,
        WR1,
        f"{ACCOUNT}:taskrouter.reservation.created:reservation.created:{WR1}:17",
    ),
    "task": Case(
        task("task.created", ResourceSid=WT1, TimestampMs="17"),
        "taskrouter.task.created",
        topics.EVENTS,
        WT1,
        f"{ACCOUNT}:taskrouter.task.created:task.created:{WT1}:17",
    ),
    "factor": Case(
        verify("factor.created", uuid="u1", factor_sid=YF1),
        "verify.factor.created",
        topics.EVENTS,
        YF1,
        f"{ACCOUNT}:verify.factor.created:u1",
    ),
    "document": Case(
        document_updated(DocumentSid=ET1, DocumentRevision="1a"),
        "sync.document_updated",
        topics.EVENTS,
        ET1,
        f"{ACCOUNT}:sync.document_updated:{ET1}:document_updated::1a",
    ),
    "list item": Case(
        list_item("list_item_updated", ListSid=ES1, ItemIndex="4", ItemRevision="9"),
        "sync.list_item_updated",
        topics.EVENTS,
        ES1,
        f"{ACCOUNT}:sync.list_item_updated:{ES1}:list_item_updated:4:9",
    ),
    "list item removed": Case(
        list_item("list_item_removed", ListSid=ES1, ItemRevision=None), "sync.list_item_removed", topics.EVENTS, ES1, None
    ),
    "map item": Case(
        map_item("map_item_updated", MapSid=MP1, ItemKey="terrace", EventId="13"),
        "sync.map_item_updated",
        topics.EVENTS,
        MP1,
        f"{ACCOUNT}:sync.map_item_updated:{MP1}:map_item_updated:terrace:13",
    ),
    "stream message": Case(
        stream_message(StreamSid=TO1, StreamMessageSid=TZ1),
        "sync.stream_message_published",
        topics.EVENTS,
        TO1,
        f"{ACCOUNT}:sync.stream_message_published:{TO1}:stream_message_published::{TZ1}",
    ),
    "studio": Case(studio(ExecutionSid=FN1), "studio", topics.EVENTS, FN1, None),
    "debugger": Case(
        debugger("WARNING", Sid=NO1), "debugger.warning", topics.EVENTS, ACCOUNT, f"{ACCOUNT}:debugger.warning:{NO1}"
    ),
    "event that Twilio has not named yet": Case(
        reservation("what is/this?", ResourceSid=WR1, TimestampMs="17"),
        "taskrouter.other",
        topics.EVENTS,
        WR1,
        f"{ACCOUNT}:taskrouter.other:what is/this?:{WR1}:17",
    ),
    "unknown": Case(unknown(GizmoSid="GZ" + "1" * 32), "unknown", topics.EVENTS, "GZ" + "1" * 32, None),
    "message SID without a message": Case(
        (("MessageSid", "SM1"), ("AccountSid", ACCOUNT)), "unknown", topics.EVENTS, "alone", None
    ),
    "call SID without a call": Case((("CallSid", "CA1"), ("AccountSid", ACCOUNT)), "unknown", topics.EVENTS, "alone", None),
    "nothing": Case((), "unknown", topics.EVENTS, "alone", None),
}
