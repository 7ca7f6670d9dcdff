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


class Case(NamedTuple):
    """A webhook and the expected result. `dedupe` is None where it is a hash, `ordering` "alone" where it has its own lane."""

    params: Params
    kind: str
    topic: str
    ordering: str
    dedupe: str | None


CASES = {
    "SMS": Case(
        message(MessageSid="SM11111111111111111111111111111111"),
        "message.received",
        topics.MESSAGES,
        f"{SENDER}:{RECIPIENT}",
        f"{ACCOUNT}:message.received:SM11111111111111111111111111111111",
    ),
    "SMS without a body": Case(
        message(MessageSid="SM11111111111111111111111111111111", Body=None),
        "message.received",
        topics.MESSAGES,
        f"{SENDER}:{RECIPIENT}",
        f"{ACCOUNT}:message.received:SM11111111111111111111111111111111",
    ),
    "SMS with the older SID only": Case(
        message(MessageSid=None, SmsSid="SM11111111111111111111111111111111"),
        "message.received",
        topics.MESSAGES,
        f"{SENDER}:{RECIPIENT}",
        f"{ACCOUNT}:message.received:SM11111111111111111111111111111111",
    ),
    "MMS": Case(
        picture_message(MessageSid="MM11111111111111111111111111111111"),
        "message.received",
        topics.MESSAGES,
        f"{SENDER}:{RECIPIENT}",
        f"{ACCOUNT}:message.received:MM11111111111111111111111111111111",
    ),
    "WhatsApp": Case(
        whatsapp_message(MessageSid="SM11111111111111111111111111111111"),
        "message.received",
        topics.MESSAGES,
        f"whatsapp:{SENDER}:whatsapp:{RECIPIENT}",
        f"{ACCOUNT}:message.received:SM11111111111111111111111111111111",
    ),
    "SMS sent": Case(
        message_status("sent", MessageSid="SM11111111111111111111111111111111"),
        "message.status",
        topics.STATUSES,
        "SM11111111111111111111111111111111",
        f"{ACCOUNT}:message.status:SM11111111111111111111111111111111:sent:",
    ),
    "SMS undelivered": Case(
        message_status("undelivered", MessageSid="SM11111111111111111111111111111111", ErrorCode="30003"),
        "message.status",
        topics.STATUSES,
        "SM11111111111111111111111111111111",
        f"{ACCOUNT}:message.status:SM11111111111111111111111111111111:undelivered:",
    ),
    "WhatsApp delivered": Case(
        whatsapp_status("delivered", "DELIVERED", MessageSid="SM11111111111111111111111111111111"),
        "message.status",
        topics.STATUSES,
        "SM11111111111111111111111111111111",
        f"{ACCOUNT}:message.status:SM11111111111111111111111111111111:delivered:DELIVERED",
    ),
    "WhatsApp read": Case(
        whatsapp_status("read", "READ", MessageSid="SM11111111111111111111111111111111"),
        "message.status",
        topics.STATUSES,
        "SM11111111111111111111111111111111",
        f"{ACCOUNT}:message.status:SM11111111111111111111111111111111:read:READ",
    ),
    "call": Case(
        call(CallSid="CA11111111111111111111111111111111"),
        "call.received",
        topics.CALLS,
        "CA11111111111111111111111111111111",
        None,
    ),
    "call step": Case(
        call(CallSid="CA11111111111111111111111111111111", CallStatus="in-progress", Digits="5"),
        "call.received",
        topics.CALLS,
        "CA11111111111111111111111111111111",
        None,
    ),
    "call completed": Case(
        call_status("completed", CallSid="CA11111111111111111111111111111111", SequenceNumber="3"),
        "call.status",
        topics.STATUSES,
        "CA11111111111111111111111111111111",
        f"{ACCOUNT}:call.status:CA11111111111111111111111111111111:3",
    ),
    "call initiated": Case(
        call_status("initiated", CallSid="CA11111111111111111111111111111111", SequenceNumber="0"),
        "call.status",
        topics.STATUSES,
        "CA11111111111111111111111111111111",
        f"{ACCOUNT}:call.status:CA11111111111111111111111111111111:0",
    ),
    "call completed, unnumbered": Case(
        call_status("completed", CallSid="CA11111111111111111111111111111111", SequenceNumber=None),
        "call.status",
        topics.STATUSES,
        "CA11111111111111111111111111111111",
        f"{ACCOUNT}:call.status:CA11111111111111111111111111111111:completed",
    ),
    "recording": Case(
        recording_status(
            "completed", RecordingSid="RE11111111111111111111111111111111", CallSid="CA11111111111111111111111111111111"
        ),
        "recording.status",
        topics.STATUSES,
        "CA11111111111111111111111111111111",
        f"{ACCOUNT}:recording.status:RE11111111111111111111111111111111:completed",
    ),
    "recording of a conference": Case(
        recording_status(
            "absent",
            RecordingSid="RE11111111111111111111111111111111",
            CallSid=None,
            ConferenceSid="CF11111111111111111111111111111111",
        ),
        "recording.status",
        topics.STATUSES,
        "RE11111111111111111111111111111111",
        f"{ACCOUNT}:recording.status:RE11111111111111111111111111111111:absent",
    ),
    "transcription of a recording": Case(
        transcription(
            "completed", TranscriptionSid="TR11111111111111111111111111111111", CallSid="CA11111111111111111111111111111111"
        ),
        "transcription",
        topics.STATUSES,
        "CA11111111111111111111111111111111",
        f"{ACCOUNT}:transcription:TR11111111111111111111111111111111:completed::",
    ),
    "transcription of a call": Case(
        live_transcription(
            "transcription-content",
            TranscriptionSid="GT11111111111111111111111111111111",
            CallSid="CA11111111111111111111111111111111",
            SequenceId="2",
        ),
        "transcription",
        topics.STATUSES,
        "CA11111111111111111111111111111111",
        f"{ACCOUNT}:transcription:GT11111111111111111111111111111111::transcription-content:2",
    ),
    "message added": Case(
        message_added(
            ConversationSid="CH11111111111111111111111111111111",
            MessageSid="IM11111111111111111111111111111111",
            DateCreated="2025",
        ),
        "conversation.onMessageAdded",
        topics.CONVERSATIONS,
        "CH11111111111111111111111111111111",
        f"{ACCOUNT}:conversation.onMessageAdded:onMessageAdded:IM11111111111111111111111111111111:2025:",
    ),
    "message updated": Case(
        message_added(
            ConversationSid="CH11111111111111111111111111111111",
            MessageSid="IM11111111111111111111111111111111",
            EventType="onMessageUpdated",
            DateUpdated="2026",
        ),
        "conversation.onMessageUpdated",
        topics.CONVERSATIONS,
        "CH11111111111111111111111111111111",
        f"{ACCOUNT}:conversation.onMessageUpdated:onMessageUpdated:IM11111111111111111111111111111111:2026:",
    ),
    "delivery updated": Case(
        delivery_updated(
            "read",
            ConversationSid="CH11111111111111111111111111111111",
            DeliveryReceiptSid="DY11111111111111111111111111111111",
            DateUpdated="2026",
        ),
        "conversation.onDeliveryUpdated",
        topics.CONVERSATIONS,
        "CH11111111111111111111111111111111",
        f"{ACCOUNT}:conversation.onDeliveryUpdated:onDeliveryUpdated:DY11111111111111111111111111111111:2026:read",
    ),
    "participant added": Case(
        participant_added(
            ConversationSid="CH11111111111111111111111111111111",
            ParticipantSid="MB11111111111111111111111111111111",
            DateCreated="2025",
        ),
        "conversation.onParticipantAdded",
        topics.CONVERSATIONS,
        "CH11111111111111111111111111111111",
        f"{ACCOUNT}:conversation.onParticipantAdded:onParticipantAdded:MB11111111111111111111111111111111:2025:",
    ),
    "message to be added": Case(
        message_add(ConversationSid="CH11111111111111111111111111111111"),
        "conversation.onMessageAdd",
        topics.CONVERSATIONS,
        "CH11111111111111111111111111111111",
        None,
    ),
    "reservation": Case(
        reservation("reservation.created", ResourceSid="WR11111111111111111111111111111111", TimestampMs="17"),
        "taskrouter.reservation.created",
        topics.EVENTS,
        "WR11111111111111111111111111111111",
        f"{ACCOUNT}:taskrouter.reservation.created:reservation.created:WR11111111111111111111111111111111:17",
    ),
    "reservation, in seconds only": Case(
        reservation("reservation.created", ResourceSid="WR11111111111111111111111111111111", TimestampMs=None, Timestamp="17"),
        "taskrouter.reservation.created",
        topics.EVENTS,
        "WR11111111111111111111111111111111",
        f"{ACCOUNT}:taskrouter.reservation.created:reservation.created:WR11111111111111111111111111111111:17",
    ),
    "task": Case(
        task("task.created", ResourceSid="WT11111111111111111111111111111111", TimestampMs="17"),
        "taskrouter.task.created",
        topics.EVENTS,
        "WT11111111111111111111111111111111",
        f"{ACCOUNT}:taskrouter.task.created:task.created:WT11111111111111111111111111111111:17",
    ),
    "factor": Case(
        verify("factor.created", uuid="u1", factor_sid="YF11111111111111111111111111111111"),
        "verify.factor.created",
        topics.EVENTS,
        "YF11111111111111111111111111111111",
        f"{ACCOUNT}:verify.factor.created:u1",
    ),
    "document": Case(
        document_updated(DocumentSid="ET11111111111111111111111111111111", DocumentRevision="1a"),
        "sync.document_updated",
        topics.EVENTS,
        "ET11111111111111111111111111111111",
        f"{ACCOUNT}:sync.document_updated:ET11111111111111111111111111111111:document_updated::1a",
    ),
    "list item": Case(
        list_item("list_item_updated", ListSid="ES11111111111111111111111111111111", ItemIndex="4", ItemRevision="9"),
        "sync.list_item_updated",
        topics.EVENTS,
        "ES11111111111111111111111111111111",
        f"{ACCOUNT}:sync.list_item_updated:ES11111111111111111111111111111111:list_item_updated:4:9",
    ),
    "list item removed": Case(
        list_item("list_item_removed", ListSid="ES11111111111111111111111111111111", ItemRevision=None),
        "sync.list_item_removed",
        topics.EVENTS,
        "ES11111111111111111111111111111111",
        None,
    ),
    "map item": Case(
        map_item("map_item_updated", MapSid="MP11111111111111111111111111111111", ItemKey="terrace", EventId="13"),
        "sync.map_item_updated",
        topics.EVENTS,
        "MP11111111111111111111111111111111",
        f"{ACCOUNT}:sync.map_item_updated:MP11111111111111111111111111111111:map_item_updated:terrace:13",
    ),
    "stream message": Case(
        stream_message(StreamSid="TO11111111111111111111111111111111", StreamMessageSid="TZ11111111111111111111111111111111"),
        "sync.stream_message_published",
        topics.EVENTS,
        "TO11111111111111111111111111111111",
        f"{ACCOUNT}:sync.stream_message_published:TO11111111111111111111111111111111:stream_message_published::TZ11111111111111111111111111111111",
    ),
    "studio": Case(
        studio(ExecutionSid="FN11111111111111111111111111111111"),
        "studio",
        topics.EVENTS,
        "FN11111111111111111111111111111111",
        None,
    ),
    "debugger": Case(
        debugger("WARNING", Sid="NO11111111111111111111111111111111"),
        "debugger.warning",
        topics.EVENTS,
        f"{ACCOUNT}:debugger:CA1",
        f"{ACCOUNT}:debugger.warning:NO11111111111111111111111111111111",
    ),
    "event that Twilio has not named yet": Case(
        reservation("what is/this?", ResourceSid="WR11111111111111111111111111111111", TimestampMs="17"),
        "taskrouter.other",
        topics.EVENTS,
        "WR11111111111111111111111111111111",
        f"{ACCOUNT}:taskrouter.other:what is/this?:WR11111111111111111111111111111111:17",
    ),
    "unknown": Case(unknown(GizmoSid="GZ" + "1" * 32), "unknown", topics.EVENTS, "GZ" + "1" * 32, None),
    "message SID without a message": Case(
        (("MessageSid", "SM11111111111111111111111111111111"), ("AccountSid", ACCOUNT)),
        "unknown",
        topics.EVENTS,
        "SM11111111111111111111111111111111",
        None,
    ),
    "call SID without a call": Case(
        (("CallSid", "CA11111111111111111111111111111111"), ("AccountSid", ACCOUNT)),
        "unknown",
        topics.EVENTS,
        "CA11111111111111111111111111111111",
        None,
    ),
    "nothing": Case((), "unknown", topics.EVENTS, "alone", None),
}
