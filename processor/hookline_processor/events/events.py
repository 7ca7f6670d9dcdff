"""The events that handlers get, one class for each kind or family of kinds.

Sources of the parameter names: Twilio's webhook reference of each product, and SendGrid's Event Webhook reference. Webhooks may
contain more parameters than there are attributes: `params` has all of them, and `json` the nested ones.
"""

from itertools import count, takewhile
from typing import Any, Final

from hookline_processor.events.webhook_event import Number, Text, WebhookEvent
from hookline_shared.event import Event
from hookline_shared.forms import MAX_FIELDS
from hookline_shared.kinds import FAMILIES, SINGLE, label_of


class MessageReceived(WebhookEvent):
    """Somebody sent an SMS, MMS, WhatsApp or RCS message."""

    kind = "message.received"
    message_sid = Text("MessageSid")
    messaging_service_sid = Text("MessagingServiceSid")
    from_ = Text("From")
    to = Text("To")
    body = Text("Body")
    num_media = Number("NumMedia", most=MAX_FIELDS)
    num_segments = Number("NumSegments")
    profile_name = Text("ProfileName")
    wa_id = Text("WaId")
    button_text = Text("ButtonText")
    button_payload = Text("ButtonPayload")

    @property
    def media(self) -> list[tuple[str, str]]:
        """URL and content type of each attachment."""
        numbers = takewhile(lambda number: f"MediaUrl{number}" in self.params, count())
        return [(self.params[f"MediaUrl{number}"], self.params.get(f"MediaContentType{number}", "")) for number in numbers]


class MessageStatus(WebhookEvent):
    """A message that you sent has a new status."""

    kind = "message.status"
    message_sid = Text("MessageSid")
    message_status = Text("MessageStatus")
    from_ = Text("From")
    to = Text("To")
    error_code = Text("ErrorCode")
    event_type = Text("EventType")


class CallReceived(WebhookEvent):
    """A call came in, or asked for its next instruction."""

    kind = "call.received"
    call_sid = Text("CallSid")
    call_status = Text("CallStatus")
    from_ = Text("From")
    to = Text("To")
    direction = Text("Direction")
    digits = Text("Digits")
    speech_result = Text("SpeechResult")


class CallStatus(WebhookEvent):
    """A call has a new status."""

    kind = "call.status"
    call_sid = Text("CallSid")
    call_status = Text("CallStatus")
    from_ = Text("From")
    to = Text("To")
    direction = Text("Direction")
    call_duration = Number("CallDuration")
    sequence_number = Number("SequenceNumber")
    timestamp = Text("Timestamp")


class RecordingStatus(WebhookEvent):
    """The recording of a call or conference has a new status. `recording_duration` is in seconds."""

    kind = "recording.status"
    recording_sid = Text("RecordingSid")
    recording_status = Text("RecordingStatus")
    recording_url = Text("RecordingUrl")
    recording_duration = Number("RecordingDuration")
    recording_channels = Number("RecordingChannels")
    recording_source = Text("RecordingSource")
    recording_track = Text("RecordingTrack")
    recording_start_time = Text("RecordingStartTime")
    call_sid = Text("CallSid")
    conference_sid = Text("ConferenceSid")
    error_code = Text("ErrorCode")


class Transcription(WebhookEvent):
    """A recording was transcribed, or a call is being transcribed. For a call, `transcription_event` names the step.

    `transcription_data` is JSON with the spoken text; `final` is "true" or "false".
    """

    kind = "transcription"
    transcription_sid = Text("TranscriptionSid")
    transcription_status = Text("TranscriptionStatus")
    transcription_text = Text("TranscriptionText")
    transcription_url = Text("TranscriptionUrl")
    transcription_event = Text("TranscriptionEvent")
    transcription_data = Text("TranscriptionData")
    sequence_id = Number("SequenceId")
    timestamp = Text("Timestamp")
    language_code = Text("LanguageCode")
    track = Text("Track")
    final = Text("Final")
    call_sid = Text("CallSid")
    recording_sid = Text("RecordingSid")


class ConversationEvent(WebhookEvent):
    """Something happened in a conversation of Twilio Conversations. `event_type` says what, for example onMessageAdded.

    `media` and `attributes` are JSON. `index` is the message's number in its conversation, from 0.
    """

    kind = "conversation.*"
    event_type = Text("EventType")
    conversation_sid = Text("ConversationSid")
    chat_service_sid = Text("ChatServiceSid")
    messaging_service_sid = Text("MessagingServiceSid")
    message_sid = Text("MessageSid")
    index = Number("Index")
    author = Text("Author")
    body = Text("Body")
    media = Text("Media")
    attributes = Text("Attributes")
    participant_sid = Text("ParticipantSid")
    identity = Text("Identity")
    client_identity = Text("ClientIdentity")
    source = Text("Source")
    delivery_receipt_sid = Text("DeliveryReceiptSid")
    status = Text("Status")
    error_code = Text("ErrorCode")
    friendly_name = Text("FriendlyName")
    state_from = Text("StateFrom")
    state_to = Text("StateTo")
    date_created = Text("DateCreated")
    date_updated = Text("DateUpdated")


class TaskRouterEvent(WebhookEvent):
    """Something happened in a TaskRouter workspace. `event_type` says what, for example reservation.created.

    `task_attributes` and `worker_attributes` are JSON.
    """

    kind = "taskrouter.*"
    event_type = Text("EventType")
    event_description = Text("EventDescription")
    sid = Text("Sid")
    workspace_sid = Text("WorkspaceSid")
    workspace_name = Text("WorkspaceName")
    resource_type = Text("ResourceType")
    resource_sid = Text("ResourceSid")
    timestamp = Text("Timestamp")
    task_sid = Text("TaskSid")
    task_attributes = Text("TaskAttributes")
    task_assignment_status = Text("TaskAssignmentStatus")
    task_queue_sid = Text("TaskQueueSid")
    task_queue_name = Text("TaskQueueName")
    task_channel_unique_name = Text("TaskChannelUniqueName")
    reservation_sid = Text("ReservationSid")
    worker_sid = Text("WorkerSid")
    worker_name = Text("WorkerName")
    worker_attributes = Text("WorkerAttributes")
    worker_activity_name = Text("WorkerActivityName")
    workflow_sid = Text("WorkflowSid")
    workflow_name = Text("WorkflowName")


class VerifyEvent(WebhookEvent):
    """Something happened to a factor or challenge of Verify. `type` says what, for example factor.created."""

    kind = "verify.*"
    uuid = Text("uuid")
    type = Text("type")
    service_sid = Text("service_sid")
    entity_identity = Text("entity_identity")
    factor_sid = Text("factor_sid")
    factor_type = Text("factor_type")
    factor_friendly_name = Text("factor_friendly_name")
    challenge_sid = Text("challenge_sid")


class SyncEvent(WebhookEvent):
    """An object of Sync changed. `event_type` says how, for example document_updated. `document_data` and `item_data` are JSON.

    A revision is an opaque string that can only be compared.
    """

    kind = "sync.*"
    event_type = Text("EventType")
    event_id = Text("EventId")
    service_sid = Text("ServiceSid")
    endpoint_id = Text("EndpointId")
    identity = Text("Identity")
    document_sid = Text("DocumentSid")
    document_unique_name = Text("DocumentUniqueName")
    document_revision = Text("DocumentRevision")
    document_data = Text("DocumentData")
    list_sid = Text("ListSid")
    list_unique_name = Text("ListUniqueName")
    map_sid = Text("MapSid")
    map_unique_name = Text("MapUniqueName")
    stream_sid = Text("StreamSid")
    item_index = Text("ItemIndex")
    item_key = Text("ItemKey")
    item_revision = Text("ItemRevision")
    item_data = Text("ItemData")


class StudioEvent(WebhookEvent):
    """A Studio flow sent a request. Its parameters are mostly those that the widget defines: see `params`."""

    kind = "studio"
    flow_sid = Text("FlowSid")
    execution_sid = Text("ExecutionSid")


class DebuggerEvent(WebhookEvent):
    """Twilio reports an error or a warning. `payload` is JSON with the error code and the cause."""

    kind = "debugger.*"
    sid = Text("Sid")
    parent_account_sid = Text("ParentAccountSid")
    level = Text("Level")
    timestamp = Text("Timestamp")
    payload_type = Text("PayloadType")
    payload = Text("Payload")


class StreamEvent(WebhookEvent):
    """One event of Event Streams, a CloudEvent. `event_id` is its own id; `id` is Hookline's."""

    kind = "event.stream"
    event_id = Text("id")
    type = Text("type")
    source = Text("source")
    time = Text("time")
    dataschema = Text("dataschema")

    @property
    def data(self) -> Any:
        """The decoded data of the CloudEvent, or None if there is none."""
        return self.json.get("data") if isinstance(self.json, dict) else None


class SendGridEvent(WebhookEvent):
    """An e-mail has a new status. `event` is the status, for example delivered. `timestamp` is Unix time in seconds."""

    kind = "sendgrid.event"
    sg_event_id = Text("sg_event_id")
    sg_message_id = Text("sg_message_id")
    event = Text("event")
    email = Text("email")
    timestamp = Number("timestamp")
    reason = Text("reason")
    response = Text("response")
    status = Text("status")
    type = Text("type")
    url = Text("url")
    useragent = Text("useragent")
    ip = Text("ip")


_TYPES: Final = {event.kind: event for event in WebhookEvent.__subclasses__()}


EVENT_CLASSES: Final = frozenset((WebhookEvent, *_TYPES.values()))
"""All classes of events. Kinds without a class of their own use `WebhookEvent`."""


def typed(raw: Event) -> WebhookEvent:
    """Return `raw` as an event of the class of its kind or family, or as a plain `WebhookEvent`."""
    return _class_of(raw.kind)(raw)


def classes_for(pattern: str) -> list[type[WebhookEvent]]:
    """Return the classes of events that match `pattern`: a kind, a prefix such as "message.*", or "*"."""
    if pattern.partition(".")[0] not in FAMILIES and pattern.endswith(".*"):
        return [_class_of(kind) for kind in SINGLE if kind.startswith(pattern[:-1])]
    return [_class_of(pattern)]


def _class_of(kind: str) -> type[WebhookEvent]:
    return _TYPES.get(label_of(kind), WebhookEvent)
