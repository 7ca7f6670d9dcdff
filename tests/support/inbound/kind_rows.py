"""One row for each kind of messages and calls: the least that Twilio sends, all that it sends, and the next of the same.

The requests are those of public captures and of Twilio's documentation, with personal details replaced. Nothing here uses
Hookline's code, so nothing vouches for itself. More rows are in `tests.support.inbound.product_rows`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

ACCOUNT = "AC" + "1" * 32
CALL = "CA" + "c" * 32
MESSAGE = "SM" + "a" * 32
SENDER, RECIPIENT = "+14155550123", "+18005551212"
AT = "2025-06-19T15:00:00.611Z"
ESCAPED_AT = AT.replace(":", "\\:")
RFC_AT = "Thu, 19 Jun 2025 15:00:00 +0000"


class KindRow(NamedTuple):
    """A kind, the parameters that tell it, those that come as well, and the changes of the next event of the same resource.

    `ordering` is the ordering key, `dedupe` the end of the dedupe key, None where it is a hash of the content. `read` are
    attributes of the full request. `shape` is how it is sent: as a form, as JSON, as multipart, or as an element of an array.
    `twiml` is whether the reply is TwiML.
    """

    kind: str
    least: Mapping[str, Any]
    more: Mapping[str, Any]
    following: Mapping[str, Any]
    ordering: str
    dedupe: str | None
    read: Mapping[str, object]
    shape: str = "form"
    twiml: bool = False

    @property
    def full(self) -> dict[str, Any]:
        """All that Twilio sends."""
        return {**self.least, **self.more}


_CALL_PARAMS = {
    "AccountSid": ACCOUNT,
    "ApiVersion": "2010-04-01",
    "Called": RECIPIENT,
    "CalledCountry": "US",
    "Caller": SENDER,
    "CallerCountry": "US",
    "Direction": "inbound",
    "From": SENDER,
    "To": RECIPIENT,
    "StirVerstat": "TN-Validation-Passed-A",
}
_OF_CALL = {"CallSid": CALL}

MESSAGING = [
    KindRow(
        "message.received",
        {"MessageSid": MESSAGE, "From": f"whatsapp:{SENDER}", "To": f"whatsapp:{RECIPIENT}", "Body": "STOP"},
        {
            "AccountSid": ACCOUNT,
            "SmsStatus": "received",
            "SmsMessageSid": MESSAGE,
            "SmsSid": MESSAGE,
            "NumMedia": "0",
            "NumSegments": "1",
            "OptOutType": "STOP",
            "MessageType": "interactive",
            "ChannelMetadata": '{"type":"whatsapp","data":{"context":{"ProfileName":"Zoe"}}}',
            "ListId": "row-2",
            "ListTitle": "Tables",
            "Latitude": "48.2",
            "Longitude": "16.4",
            "Address": "High Street 7",
            "Label": "Cafe",
            "ReferralSourceType": "ad",
            "ReferralSourceId": "7",
            "WaId": "14155550123",
            "ProfileName": "Zoe",
        },
        {"MessageSid": "SM" + "b" * 32},
        f"whatsapp:{SENDER}:whatsapp:{RECIPIENT}",
        MESSAGE,
        {
            "opt_out_type": "STOP",
            "message_type": "interactive",
            "channel_metadata_json": {"type": "whatsapp", "data": {"context": {"ProfileName": "Zoe"}}},
            "list_id": "row-2",
            "latitude": "48.2",
            "label": "Cafe",
            "referral": {"SourceType": "ad", "SourceId": "7"},
        },
        twiml=True,
    ),
    KindRow(
        "message.status",
        {"SmsSid": MESSAGE, "SmsStatus": "undelivered", "Body": "Hello", "From": RECIPIENT, "To": SENDER},
        {
            "AccountSid": ACCOUNT,
            "MessageSid": MESSAGE,
            "MessageStatus": "undelivered",
            "ErrorCode": "30003",
            "ErrorMessage": "Unreachable destination handset",
            "RawDlrDoneDate": "2506191500",
        },
        {"SmsStatus": "delivered", "MessageStatus": "delivered"},
        MESSAGE,
        f"{MESSAGE}:undelivered:",
        {"error_code": "30003", "error_message": "Unreachable destination handset"},
    ),
    KindRow(
        "link_click",
        {"sms_sid": MESSAGE, "link": "https://example.com/sale", "click_time": AT},
        {"account_sid": ACCOUNT, "event_type": "click", "to": SENDER, "from": RECIPIENT, "user_agent": "Mozilla/5.0"},
        {"click_time": "2025-06-19T15:00:01.000Z"},
        MESSAGE,
        f"{MESSAGE}:https\\://example.com/sale:{AT}",
        {"link": "https://example.com/sale", "event_type": "click"},
        shape="JSON",
    ),
]
CALLS = [
    KindRow(
        "call.received",
        {**_OF_CALL, "CallStatus": "in-progress"},
        {
            **_CALL_PARAMS,
            "ParentCallSid": "CA" + "d" * 32,
            "DialCallSid": "CA" + "e" * 32,
            "DialCallStatus": "completed",
            "DialCallDuration": "12",
            "DialBridged": "true",
            "DialSipResponseCode": "200",
            "RecordingUrl": "https://api.twilio.com/recordings/1",
            "RecordingDuration": "9",
            "QueueResult": "bridged",
            "QueueTime": "5",
            "AvgQueueTime": "7",
            "DequeingCallSid": "CA" + "f" * 32,
            "AddOns": '{"status":"successful"}',
            "HandoffData": '{"reason":"agent"}',
            "SessionStatus": "ended",
            "AnsweredBy": "human",
            "ReferTransferTarget": "sip:zoe@example.com",
        },
        {"Digits": "1"},
        CALL,
        None,
        {
            "parent_call_sid": "CA" + "d" * 32,
            "dial_call_status": "completed",
            "dial_call_duration": 12,
            "dial_sip_response_code": "200",
            "recording_duration": 9,
            "queue_result": "bridged",
            "avg_queue_time": 7,
            "dequeing_call_sid": "CA" + "f" * 32,
            "add_ons_json": {"status": "successful"},
            "handoff_data_json": {"reason": "agent"},
            "answered_by": "human",
        },
        twiml=True,
    ),
    KindRow(
        "call.status",
        {**_OF_CALL, "CallbackSource": "call-progress-events", "CallStatus": "completed", "SequenceNumber": "3"},
        {
            **_CALL_PARAMS,
            "ParentCallSid": "CA" + "d" * 32,
            "CallDuration": "12",
            "SipResponseCode": "487",
            "AnsweredBy": "fax",
            "Timestamp": RFC_AT,
        },
        {"SequenceNumber": "4"},
        CALL,
        f"{CALL}:3",
        {"sip_response_code": "487", "parent_call_sid": "CA" + "d" * 32, "answered_by": "fax", "call_duration": 12},
    ),
    KindRow(
        "recording.status",
        {"RecordingSid": "RE" + "1" * 32, "RecordingStatus": "completed"},
        {"AccountSid": ACCOUNT, **_OF_CALL, "RecordingDuration": "61", "RecordingChannels": "2", "ErrorCode": "0"},
        {"RecordingStatus": "absent"},
        CALL,
        f"RE{'1' * 32}:completed",
        {"recording_duration": 61, "error_code": "0"},
    ),
    KindRow(
        "transcription",
        {"TranscriptionSid": "GT" + "1" * 32, "TranscriptionEvent": "transcription-error"},
        {
            "AccountSid": ACCOUNT,
            **_OF_CALL,
            "SequenceId": "2",
            "TranscriptionError": "no audio",
            "TranscriptionErrorCode": "32655",
            "TranscriptionData": '{"transcript":"to be"}',
        },
        {"SequenceId": "3"},
        CALL,
        f"GT{'1' * 32}::transcription-error:2",
        {
            "transcription_error": "no audio",
            "transcription_error_code": "32655",
            "transcription_data_json": {"transcript": "to be"},
        },
    ),
    KindRow(
        "conference.participant-leave",
        {"ConferenceSid": "CF" + "1" * 32, "StatusCallbackEvent": "participant-leave", "SequenceNumber": "3"},
        {
            "AccountSid": ACCOUNT,
            "FriendlyName": "Support",
            "Timestamp": RFC_AT,
            **_OF_CALL,
            "ParticipantCallStatus": "completed",
            "ReasonParticipantLeft": "participant_hung_up",
            "Muted": "false",
        },
        {"SequenceNumber": "4"},
        "CF" + "1" * 32,
        f"CF{'1' * 32}:3:{CALL}",
        {"sequence_number": 3, "reason_participant_left": "participant_hung_up", "friendly_name": "Support"},
    ),
    KindRow(
        "amd",
        {**_OF_CALL, "AnsweredBy": "machine_start"},
        {"AccountSid": ACCOUNT, "MachineDetectionDuration": "2400"},
        {"AnsweredBy": "machine_end_beep"},
        CALL,
        f"{CALL}:machine_start:2400",
        {"answered_by": "machine_start", "machine_detection_duration": 2400},
    ),
    KindRow(
        "media_stream.stream-error",
        {"StreamSid": "MZ" + "1" * 32, "StreamEvent": "stream-error"},
        {"AccountSid": ACCOUNT, **_OF_CALL, "StreamName": "agent", "StreamError": "closed", "Timestamp": AT},
        {"StreamEvent": "stream-stopped"},
        CALL,
        f"MZ{'1' * 32}:{AT}",
        {"stream_error": "closed", "stream_name": "agent"},
    ),
    KindRow(
        "siprec.siprec-error",
        {"SiprecSid": "SR" + "1" * 32, "SiprecEvent": "siprec-error"},
        {"AccountSid": ACCOUNT, **_OF_CALL, "SiprecName": "archive", "SiprecError": "refused", "Timestamp": AT},
        {"SiprecEvent": "siprec-stopped"},
        CALL,
        f"SR{'1' * 32}:{AT}",
        {"siprec_error": "refused", "siprec_name": "archive"},
    ),
    KindRow(
        "payment",
        {**_OF_CALL, "PaymentMethod": "credit-card"},
        {
            "AccountSid": ACCOUNT,
            "Sid": "PK" + "1" * 32,
            "Result": "success",
            "PaymentCardNumber": "xxxxxxxxxxxx1111",
            "PaymentConfirmationCode": "ch_1",
            "DateUpdated": AT,
        },
        {"DateUpdated": "2025-06-19T15:00:01.000Z"},
        CALL,
        None,
        {"result": "success", "payment_confirmation_code": "ch_1"},
    ),
    KindRow(
        "user_defined_message",
        {**_OF_CALL, "Content": '{"button":"mute"}'},
        {"AccountSid": ACCOUNT, "SequenceNumber": "1", "ContentType": "application/json"},
        {"SequenceNumber": "2"},
        CALL,
        None,
        {"content_json": {"button": "mute"}, "sequence_number": 1},
        shape="JSON",
    ),
    KindRow(
        "virtual_agent",
        {**_OF_CALL, "VirtualAgentStatus": "live-agent-handoff"},
        {"AccountSid": ACCOUNT, "VirtualAgentProvider": "google", "VirtualAgentProviderData": '{"EndUserId":"7"}'},
        {"VirtualAgentStatus": "completed"},
        CALL,
        None,
        {"virtual_agent_provider": "google", "virtual_agent_provider_data_json": {"EndUserId": "7"}},
    ),
]
