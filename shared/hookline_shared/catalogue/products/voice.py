"""Programmable Voice: calls and their statuses. A kind of its own is whatever comes beside the call: see call_features.py."""

from typing import Any, Final

from hookline_shared import topics
from hookline_shared.catalogue.fields import Json, Number, Text
from hookline_shared.catalogue.kind import Condition, Kind, Reply, Template, has, key
from hookline_shared.catalogue.sids import Params
from hookline_shared.catalogue.webhook_event import WebhookEvent

__all__ = ["CallReceived", "CallStatus"]


_FINAL: Final = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})


class CallReceived(WebhookEvent):
    """A call came in, or asked for its next instruction: with what the last one brought.

    `<Gather>` brings `digits` and `speech_result`, `<Dial>` the `dial_…` attributes, `<Record>` the `recording_…` ones,
    `<Enqueue>` the `queue_…` ones, `<Refer>` the `refer_…` ones, `<Pay>` `result` and `payment_token`, ConversationRelay the
    `session_…` ones and `handoff_data`. Durations are in seconds.
    """

    kind = "call.received"
    call_sid = Text("CallSid")
    parent_call_sid = Text("ParentCallSid")
    call_status = Text("CallStatus")
    from_ = Text("From")
    to = Text("To")
    direction = Text("Direction")
    caller_name = Text("CallerName")
    forwarded_from = Text("ForwardedFrom")
    stir_verstat = Text("StirVerstat")
    answered_by = Text("AnsweredBy")
    digits = Text("Digits")
    finished_on_key = Text("FinishedOnKey")
    speech_result = Text("SpeechResult")
    confidence = Text("Confidence")
    dial_call_sid = Text("DialCallSid")
    dial_call_status = Text("DialCallStatus")
    dial_call_duration = Number("DialCallDuration")
    dial_bridged = Text("DialBridged")
    dial_sip_response_code = Text("DialSipResponseCode")
    sip_response_code = Text("SipResponseCode")
    sip_call_id = Text("SipCallId")
    sip_domain = Text("SipDomain")
    sip_domain_sid = Text("SipDomainSid")
    recording_sid = Text("RecordingSid")
    recording_url = Text("RecordingUrl")
    recording_duration = Number("RecordingDuration")
    conference_sid = Text("ConferenceSid")
    queue_sid = Text("QueueSid")
    queue_result = Text("QueueResult")
    queue_time = Number("QueueTime")
    queue_position = Number("QueuePosition")
    avg_queue_time = Number("AvgQueueTime")
    current_queue_size = Number("CurrentQueueSize")
    dequeing_call_sid = Text("DequeingCallSid")  # as Twilio spells it
    refer_call_status = Text("ReferCallStatus")
    refer_sip_response_code = Text("ReferSipResponseCode")
    refer_transfer_target = Text("ReferTransferTarget")
    result = Text("Result")
    payment_token = Text("PaymentToken")
    session_id = Text("SessionId")
    session_status = Text("SessionStatus")
    session_duration = Number("SessionDuration")
    handoff_data = Text("HandoffData")
    handoff_data_json = Json("HandoffData")
    virtual_agent_status = Text("VirtualAgentStatus")
    virtual_agent_provider_data = Text("VirtualAgentProviderData")
    add_ons_json = Json("AddOns")
    error_code = Text("ErrorCode")


class CallStatus(WebhookEvent):
    """A call has a new status."""

    kind = "call.status"
    call_sid = Text("CallSid")
    parent_call_sid = Text("ParentCallSid")
    call_status = Text("CallStatus")
    from_ = Text("From")
    to = Text("To")
    direction = Text("Direction")
    forwarded_from = Text("ForwardedFrom")
    call_duration = Number("CallDuration")
    duration = Number("Duration")
    answered_by = Text("AnsweredBy")
    sip_response_code = Text("SipResponseCode")
    recording_sid = Text("RecordingSid")
    recording_url = Text("RecordingUrl")
    recording_duration = Number("RecordingDuration")
    sequence_number = Number("SequenceNumber")
    timestamp = Text("Timestamp")
    error_code = Text("ErrorCode")


def _is_call_status(params: Params) -> bool:
    """Whether it is a status. All of Twilio's say so. What does not is one if it says how long the call was.

    A final status alone says nothing: the step after `<Record>`, `<Dial>` or `<Enqueue>` has it if the caller hung up. The
    step after `<Dial>` has the duration of the other call.
    """
    get = params.get
    if not get("CallSid"):
        return False
    if get("CallbackSource") == "call-progress-events":
        return True
    return bool(get("CallDuration")) and get("CallStatus") in _FINAL and "DialCallStatus" not in params


CALL: Final[dict[str, Any]] = {
    "AccountSid": "AC00000000000000000000000000000001",
    "ApiVersion": "2010-04-01",
    "CallSid": "CA*",
    "CallStatus": "ringing",
    "Called": "<To>",
    "CalledCountry": "US",
    "CalledState": "CA",
    "Caller": "<From>",
    "CallerCountry": "US",
    "CallerState": "CA",
    "Direction": "inbound",
    "From": "+15005550006",
    "FromCountry": "US",
    "To": "+15005550001",
    "ToCountry": "US",
}
"""The parameters that Twilio sends with each instruction of a call."""

CALL_STATUS: Final = Kind(
    name="call.status",
    topic=topics.STATUSES,
    condition=Condition(
        _is_call_status,
        "`CallSid`, `CallbackSource=call-progress-events`, or `CallDuration`, a final `CallStatus`, no `DialCallStatus`",
        (("CallSid",), ("CallbackSource", "CallDuration")),
    ),
    dedupe=key("CallSid", "SequenceNumber|CallStatus"),
    ordering=key("CallSid"),
    event=CallStatus,
    source="https://www.twilio.com/docs/voice/api/call-resource#statuscallback",
    sample=Template(
        CALL
        | {
            "CallStatus": "completed",
            "CallDuration": "12",
            "Duration": "1",
            "CallbackSource": "call-progress-events",
            "SequenceNumber": "3",
            "Timestamp": "Thu, 19 Jun 2025 15:00:00 +0000",
        },
        short="call-status",
        path="/twilio/call-status",
        sender="From",
    ),
)
CALL_RECEIVED: Final = Kind(
    name="call.received",
    topic=topics.CALLS,
    condition=has("CallSid", "CallStatus"),
    dedupe=key("CallSid"),
    steps=True,
    ordering=key("CallSid"),
    event=CallReceived,
    reply=Reply.TWIML,
    sender="From",
    source="https://www.twilio.com/docs/voice/twiml#request-parameters",
    sample=Template(CALL, short="call", path="/twilio/voice", sender="From"),
)
KINDS: Final = (CALL_STATUS, CALL_RECEIVED)
