"""One row for each kind of webhook: what it is, where it goes, and its keys."""

from hookline_shared import topics
from tests.support.inbound.case import Case
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
    whatsapp_message,
    whatsapp_status,
)
from tests.support.inbound.product_cases import PRODUCT_CASES

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
} | PRODUCT_CASES
