"""The kinds of webhooks that Twilio sends: how each is recognised, its dedupe key and its ordering key. Pure.

Sources: Twilio's references of the webhook parameters of each product.
"""

from typing import Final

from hookline_ingress.translation.kind import Kind, content_hash, join_key
from hookline_ingress.translation.webhook import Params, Webhook
from hookline_shared import topics

_SYNC_SIDS: Final = ("DocumentSid", "ListSid", "MapSid", "StreamSid")
_SYNC_REVISIONS: Final = ("EventId", "DocumentRevision", "ItemRevision", "Revision", "StreamMessageSid", "MessageSid")


def _message_sid(params: Params) -> str:
    return params.get("MessageSid") or params.get("SmsSid", "")


def _is_message_status(params: Params) -> bool:
    is_status = params.get("MessageStatus", "received") != "received"
    return is_status and bool(_message_sid(params)) and "ConversationSid" not in params


def _is_message_received(params: Params) -> bool:
    has_content = "Body" in params or "NumMedia" in params
    is_status = params.get("MessageStatus", "received") != "received"
    return has_content and not is_status and bool(_message_sid(params)) and "ConversationSid" not in params


def _is_transcription(params: Params) -> bool:
    return "TranscriptionSid" in params and ("TranscriptionStatus" in params or "TranscriptionEvent" in params)


def _is_recording(params: Params) -> bool:
    return "RecordingSid" in params and "RecordingStatus" in params


def _is_call_status(params: Params) -> bool:
    return bool(params.get("CallSid")) and params.get("CallbackSource") == "call-progress-events"


def _is_call_received(params: Params) -> bool:
    return bool(params.get("CallSid")) and "CallStatus" in params


def _is_sync(params: Params) -> bool:
    return "EventType" in params and "CallSid" not in params and any(name in params for name in _SYNC_SIDS)


def _message_status_key(webhook: Webhook) -> str:
    params = webhook.params
    return join_key(_message_sid(params), params.get("MessageStatus", ""), params.get("EventType", ""))


def _call_received_key(webhook: Webhook) -> str:
    return join_key(webhook.params.get("CallSid", ""), webhook.path, content_hash(webhook))


def _call_status_key(webhook: Webhook) -> str:
    params = webhook.params
    return join_key(params.get("CallSid", ""), params.get("SequenceNumber") or params.get("CallStatus", ""))


def _transcription_key(webhook: Webhook) -> str:
    names = ("TranscriptionSid", "TranscriptionStatus", "TranscriptionEvent", "SequenceId")
    return join_key(*(webhook.params.get(name, "") for name in names))


def _conversation_key(webhook: Webhook) -> str:
    """Return the resource that changed and the time of the change; empty if the content has to identify the event.

    That is so for a change that is yet to be allowed (onMessageUpdate, not onMessageUpdated), which has the date of the change
    before it or none, and for a change without a date of its own.
    """
    params = webhook.params
    what = params.get("EventType", "")
    when = params.get("DateUpdated") or (params.get("DateCreated", "") if what.endswith("Added") else "")
    if not when or not what.endswith("ed"):
        return ""
    resources = ("DeliveryReceiptSid", "MessageSid", "ParticipantSid", "ConversationSid")
    resource = next((params[name] for name in resources if params.get(name)), "")
    return join_key(what, resource, when, params.get("Status", ""))


def _taskrouter_key(webhook: Webhook) -> str:
    params = webhook.params
    when = params.get("TimestampMs") or params.get("Timestamp", "")
    return join_key(params.get("EventType", ""), params.get("ResourceSid", ""), when) if when else ""


def _sync_key(webhook: Webhook) -> str:
    params = webhook.params
    revision = next((params[name] for name in _SYNC_REVISIONS if params.get(name)), "")
    place = params.get("ItemIndex") or params.get("ItemKey", "")
    return join_key(_sync_sid(params), params.get("EventType", ""), place, revision) if revision else ""


def _sync_sid(params: Params) -> str:
    return next((params[name] for name in _SYNC_SIDS if params.get(name)), "")


MESSAGE_RECEIVED: Final = Kind(
    name="message.received",
    topic=topics.MESSAGES,
    matches=_is_message_received,
    dedupe=lambda webhook: _message_sid(webhook.params),
    ordering=lambda webhook: f"{webhook.params.get('From', '')}:{webhook.params.get('To', '')}",
    sender=lambda params: params.get("From", ""),
)
MESSAGE_STATUS: Final = Kind(
    name="message.status",
    topic=topics.STATUSES,
    matches=_is_message_status,
    dedupe=_message_status_key,
    ordering=lambda webhook: _message_sid(webhook.params),
)
CONVERSATION: Final = Kind(
    name="conversation",
    topic=topics.CONVERSATIONS,
    matches=lambda params: "ConversationSid" in params and "EventType" in params,
    dedupe=_conversation_key,
    ordering=lambda webhook: webhook.params.get("ConversationSid", ""),
    event_type=lambda params: params.get("EventType", ""),
)
TRANSCRIPTION: Final = Kind(
    name="transcription",
    topic=topics.STATUSES,
    matches=_is_transcription,
    dedupe=_transcription_key,
    ordering=lambda webhook: webhook.params.get("CallSid") or webhook.params.get("TranscriptionSid", ""),
)
RECORDING_STATUS: Final = Kind(
    name="recording.status",
    topic=topics.STATUSES,
    matches=_is_recording,
    dedupe=lambda webhook: join_key(webhook.params.get("RecordingSid", ""), webhook.params.get("RecordingStatus", "")),
    ordering=lambda webhook: webhook.params.get("CallSid") or webhook.params.get("RecordingSid", ""),
)
CALL_STATUS: Final = Kind(
    name="call.status",
    topic=topics.STATUSES,
    matches=_is_call_status,
    dedupe=_call_status_key,
    ordering=lambda webhook: webhook.params.get("CallSid", ""),
)
CALL_RECEIVED: Final = Kind(
    name="call.received",
    topic=topics.CALLS,
    matches=_is_call_received,
    dedupe=_call_received_key,
    ordering=lambda webhook: webhook.params.get("CallSid", ""),
    sender=lambda params: params.get("From", ""),
)
TASKROUTER: Final = Kind(
    name="taskrouter",
    topic=topics.EVENTS,
    matches=lambda params: "EventType" in params and "ResourceSid" in params,
    dedupe=_taskrouter_key,
    ordering=lambda webhook: webhook.params.get("ResourceSid", ""),
    event_type=lambda params: params.get("EventType", ""),
)
SYNC: Final = Kind(
    name="sync",
    topic=topics.EVENTS,
    matches=_is_sync,
    dedupe=_sync_key,
    ordering=lambda webhook: _sync_sid(webhook.params),
    event_type=lambda params: params.get("EventType", ""),
)
VERIFY: Final = Kind(
    name="verify",
    topic=topics.EVENTS,
    matches=lambda params: "uuid" in params and "type" in params,
    dedupe=lambda webhook: webhook.params.get("uuid", ""),
    ordering=lambda webhook: webhook.params.get("factor_sid", ""),
    event_type=lambda params: params.get("type", ""),
)
DEBUGGER: Final = Kind(
    name="debugger",
    topic=topics.EVENTS,
    matches=lambda params: "Level" in params and "PayloadType" in params and "Payload" in params,
    dedupe=lambda webhook: webhook.params.get("Sid", ""),
    ordering=lambda webhook: webhook.account,
    event_type=lambda params: params.get("Level", "").lower(),
)
STUDIO: Final = Kind(
    name="studio",
    topic=topics.EVENTS,
    matches=lambda params: "ExecutionSid" in params or "FlowSid" in params,
    dedupe=content_hash,
    ordering=lambda webhook: webhook.params.get("ExecutionSid") or content_hash(webhook),
)
EVENT_STREAM: Final = Kind(
    name="event.stream",
    topic=topics.EVENTS,
    matches=lambda params: "specversion" in params and "id" in params and "type" in params,
    dedupe=lambda webhook: webhook.params.get("id", ""),
    ordering=lambda webhook: webhook.params.get("source", ""),
)
SENDGRID_EVENT: Final = Kind(
    name="sendgrid.event",
    topic=topics.EVENTS,
    matches=lambda params: "sg_event_id" in params,
    dedupe=lambda webhook: webhook.params.get("sg_event_id", ""),
    ordering=lambda webhook: webhook.params.get("sg_message_id") or webhook.params.get("email", ""),
)
UNKNOWN: Final = Kind(
    name="unknown",
    topic=topics.EVENTS,
    matches=lambda _params: False,
    dedupe=content_hash,
    ordering=lambda webhook: webhook.account,
)

CLASSIFIED: Final = (
    MESSAGE_RECEIVED,
    MESSAGE_STATUS,
    CONVERSATION,
    TRANSCRIPTION,
    RECORDING_STATUS,
    CALL_STATUS,
    CALL_RECEIVED,
    TASKROUTER,
    SYNC,
    VERIFY,
    DEBUGGER,
    STUDIO,
)
"""The kinds that are recognised by their parameters. The first that matches counts: a transcription, for example, has the
parameters of its call, too."""
KINDS: Final = {kind.name: kind for kind in (*CLASSIFIED, EVENT_STREAM, SENDGRID_EVENT, UNKNOWN)}


def classify(params: Params, expected: Kind | None = None) -> Kind:
    """Return the kind that the parameters of a webhook match, else `expected`, the kind of its route."""
    for kind in CLASSIFIED:
        if kind.matches(params):
            return kind
    return expected or UNKNOWN
