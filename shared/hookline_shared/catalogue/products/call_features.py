"""What happens beside a call: conferences, answering machine detection, media streams, SIPREC, payments, virtual agents.

The SID of the call is the ordering key of all but conferences. These webhooks have no CallStatus: those that ask for the next
instruction of the call have one, and are call.received.
"""

from typing import Final

from hookline_shared import topics
from hookline_shared.catalogue.fields import Json, Number, Text
from hookline_shared.catalogue.kind import CONTENT, Kind, Template, has, key
from hookline_shared.catalogue.webhook_event import WebhookEvent

__all__ = [
    "AmdResult",
    "ConferenceEvent",
    "MediaStreamEvent",
    "PaymentStatus",
    "SiprecEvent",
    "UserDefinedMessage",
    "VirtualAgentStatus",
]

_ACCOUNT: Final = "AC00000000000000000000000000000001"


class ConferenceEvent(WebhookEvent):
    """Something happened in a conference. `status_callback_event` says what, for example participant-join.

    `call_sid` is the call of the participant.
    """

    kind = "conference.*"
    status_callback_event = Text("StatusCallbackEvent")
    conference_sid = Text("ConferenceSid")
    friendly_name = Text("FriendlyName")
    sequence_number = Number("SequenceNumber")
    timestamp = Text("Timestamp")
    call_sid = Text("CallSid")
    participant_label = Text("ParticipantLabel")
    participant_call_status = Text("ParticipantCallStatus")
    muted = Text("Muted")
    hold = Text("Hold")
    coaching = Text("Coaching")
    start_conference_on_enter = Text("StartConferenceOnEnter")
    end_conference_on_exit = Text("EndConferenceOnExit")
    reason = Text("Reason")
    reason_participant_left = Text("ReasonParticipantLeft")
    reason_conference_ended = Text("ReasonConferenceEnded")
    call_sid_ending_conference = Text("CallSidEndingConference")
    recording_url = Text("RecordingUrl")


class AmdResult(WebhookEvent):
    """Asynchronous answering machine detection has a result, `answered_by`. `machine_detection_duration` is in milliseconds."""

    kind = "amd"
    call_sid = Text("CallSid")
    answered_by = Text("AnsweredBy")
    machine_detection_duration = Number("MachineDetectionDuration")


class MediaStreamEvent(WebhookEvent):
    """A media stream of a call started, stopped or failed. `stream_event` says what, for example stream-started."""

    kind = "media_stream.*"
    stream_event = Text("StreamEvent")
    stream_sid = Text("StreamSid")
    stream_name = Text("StreamName")
    stream_error = Text("StreamError")
    call_sid = Text("CallSid")
    timestamp = Text("Timestamp")


class SiprecEvent(WebhookEvent):
    """A SIPREC session of a call started, stopped or failed. `siprec_event` says what, for example siprec-started."""

    kind = "siprec.*"
    siprec_event = Text("SiprecEvent")
    siprec_sid = Text("SiprecSid")
    siprec_name = Text("SiprecName")
    siprec_error = Text("SiprecError")
    siprec_error_code = Text("SiprecErrorCode")
    call_sid = Text("CallSid")
    timestamp = Text("Timestamp")


class PaymentStatus(WebhookEvent):
    """`<Pay>` or a payment session has progressed. Card numbers are masked by Twilio."""

    kind = "payment"
    sid = Text("Sid")
    call_sid = Text("CallSid")
    capture = Text("Capture")
    for_ = Text("For")
    attempt = Number("Attempt")
    required = Text("Required")
    partial_result = Text("PartialResult")
    error_type = Text("ErrorType")
    result = Text("Result")
    payment_connector = Text("PaymentConnector")
    payment_method = Text("PaymentMethod")
    payment_card_type = Text("PaymentCardType")
    payment_card_number = Text("PaymentCardNumber")
    payment_token = Text("PaymentToken")
    payment_confirmation_code = Text("PaymentConfirmationCode")
    charge_amount = Text("ChargeAmount")
    pay_error_code = Text("PayErrorCode")
    date_updated = Text("DateUpdated")


class UserDefinedMessage(WebhookEvent):
    """An app that uses the Voice SDK sent a message in a call. `content` is what it sent."""

    kind = "user_defined_message"
    call_sid = Text("CallSid")
    content = Text("Content")
    content_json = Json("Content")
    content_type = Text("ContentType")
    sequence_number = Number("SequenceNumber")


class VirtualAgentStatus(WebhookEvent):
    """A virtual agent, such as one of Dialogflow, has progressed in a call."""

    kind = "virtual_agent"
    call_sid = Text("CallSid")
    virtual_agent_status = Text("VirtualAgentStatus")
    virtual_agent_provider = Text("VirtualAgentProvider")
    virtual_agent_provider_data = Text("VirtualAgentProviderData")
    virtual_agent_provider_data_json = Json("VirtualAgentProviderData")
    virtual_agent_error = Text("VirtualAgentError")
    virtual_agent_error_code = Text("VirtualAgentErrorCode")


CONFERENCE: Final = Kind(
    name="conference",
    topic=topics.STATUSES,
    condition=has("ConferenceSid", "StatusCallbackEvent|EventName"),
    event_type=key("StatusCallbackEvent|EventName"),
    dedupe=key("ConferenceSid", "SequenceNumber|Timestamp|timestamp", "CallSid?"),
    ordering=key("ConferenceSid"),
    event=ConferenceEvent,
    source="https://www.twilio.com/docs/voice/twiml/conference#attributes-statusCallback",
    sample=Template(
        {
            "ConferenceSid": "CF*",
            "FriendlyName": "Support",
            "AccountSid": _ACCOUNT,
            "SequenceNumber": "3",
            "Timestamp": "Thu, 19 Jun 2025 15:00:00 +0000",
            "StatusCallbackEvent": "<event>",
            "CallSid": "CA*",
            "Muted": "false",
            "Hold": "false",
            "Coaching": "false",
            "EndConferenceOnExit": "false",
            "StartConferenceOnEnter": "true",
        },
        short="conference",
        event="participant-join",
    ),
)
AMD: Final = Kind(
    name="amd",
    topic=topics.STATUSES,
    condition=has("CallSid", "AnsweredBy", lacks=("CallStatus",)),
    dedupe=key("CallSid", "AnsweredBy", "MachineDetectionDuration?"),
    ordering=key("CallSid"),
    event=AmdResult,
    source="https://www.twilio.com/docs/voice/answering-machine-detection#asyncamdstatuscallback",
    sample=Template(
        {"CallSid": "CA*", "AccountSid": _ACCOUNT, "AnsweredBy": "machine_start", "MachineDetectionDuration": "2400"},
        short="amd",
    ),
)
MEDIA_STREAM: Final = Kind(
    name="media_stream",
    topic=topics.STATUSES,
    condition=has("StreamSid", "StreamEvent"),
    event_type=key("StreamEvent"),
    dedupe=key("StreamSid", "Timestamp?"),
    ordering=key("CallSid|StreamSid"),
    event=MediaStreamEvent,
    source="https://www.twilio.com/docs/voice/twiml/stream#statuscallback",
    sample=Template(
        {
            "AccountSid": _ACCOUNT,
            "CallSid": "CA*",
            "StreamSid": "MZ*",
            "StreamName": "agent",
            "StreamEvent": "<event>",
            "Timestamp": "2025-06-19T15:00:00.611Z",
        },
        short="media-stream",
        event="stream-started",
    ),
)
SIPREC: Final = Kind(
    name="siprec",
    topic=topics.STATUSES,
    condition=has("SiprecSid", "SiprecEvent"),
    event_type=key("SiprecEvent"),
    dedupe=key("SiprecSid", "Timestamp?"),
    ordering=key("CallSid|SiprecSid"),
    event=SiprecEvent,
    source="https://www.twilio.com/docs/voice/twiml/siprec#statuscallback",
    sample=Template(
        {
            "AccountSid": _ACCOUNT,
            "CallSid": "CA*",
            "SiprecSid": "SR*",
            "SiprecName": "compliance",
            "SiprecEvent": "<event>",
            "Timestamp": "2025-06-19T15:00:00.611Z",
        },
        short="siprec",
        event="siprec-started",
    ),
)
PAYMENT: Final = Kind(
    name="payment",
    topic=topics.STATUSES,
    condition=has("CallSid", "PaymentConnector|PaymentMethod|Capture|PartialResult|For", lacks=("CallStatus",)),
    dedupe=CONTENT,
    ordering=key("CallSid"),
    event=PaymentStatus,
    source="https://www.twilio.com/docs/voice/twiml/pay#statuscallback, https://www.twilio.com/docs/voice/api/payment-resource",
    sample=Template(
        {
            "AccountSid": _ACCOUNT,
            "CallSid": "CA*",
            "Sid": "PK*",
            "PaymentMethod": "credit-card",
            "PaymentCardType": "visa",
            "PaymentCardNumber": "xxxxxxxxxxxx1111",
            "Capture": "payment-card-number",
            "Required": "expiration-date,security-code",
            "PartialResult": "true",
            "DateUpdated": "2025-06-19T15:00:00.611Z",
        },
        short="payment",
    ),
)
USER_DEFINED_MESSAGE: Final = Kind(
    name="user_defined_message",
    topic=topics.STATUSES,
    condition=has("CallSid", "Content", lacks=("CallStatus",)),
    dedupe=CONTENT,
    ordering=key("CallSid"),
    event=UserDefinedMessage,
    source="https://www.twilio.com/docs/voice/sdks/call-message-events",
    sample=Template(
        {
            "AccountSid": _ACCOUNT,
            "CallSid": "CA*",
            "SequenceNumber": "1",
            "ContentType": "application/json",
            "Content": '{"button":"mute"}',
        },
        short="user-defined-message",
        as_json=True,
    ),
)
VIRTUAL_AGENT: Final = Kind(
    name="virtual_agent",
    topic=topics.STATUSES,
    condition=has("CallSid", "VirtualAgentStatus|VirtualAgentProvider|VirtualAgentProviderData", lacks=("CallStatus",)),
    dedupe=CONTENT,
    ordering=key("CallSid"),
    event=VirtualAgentStatus,
    source="https://www.twilio.com/docs/voice/twiml/connect/virtualagent/virtualagent-dialogflow-cx",
    sample=Template(
        {
            "AccountSid": _ACCOUNT,
            "CallSid": "CA*",
            "VirtualAgentProvider": "google-dialogflow-cx",
            "VirtualAgentStatus": "live-agent-handoff",
            "VirtualAgentProviderData": '{"ConversationId":"projects/demo/conversations/1","EndUserId":""}',
        },
        short="virtual-agent",
    ),
)
KINDS: Final = (CONFERENCE, MEDIA_STREAM, SIPREC, AMD, PAYMENT, USER_DEFINED_MESSAGE, VIRTUAL_AGENT)
