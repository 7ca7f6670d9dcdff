"""Programmable Video: rooms with their participants, tracks and recordings, and compositions."""

from typing import Final

from hookline_shared import topics
from hookline_shared.catalogue.fields import Number, Text
from hookline_shared.catalogue.kind import Kind, Template, has, key
from hookline_shared.catalogue.webhook_event import WebhookEvent

__all__ = ["CompositionEvent", "VideoEvent"]

_SOURCE: Final = "https://www.twilio.com/docs/video/api/status-callbacks"
_ACCOUNT: Final = "AC00000000000000000000000000000001"


class VideoEvent(WebhookEvent):
    """Something happened in a video room. `status_callback_event` says what, for example participant-connected."""

    kind = "video.*"
    status_callback_event = Text("StatusCallbackEvent")
    room_sid = Text("RoomSid")
    room_name = Text("RoomName")
    room_status = Text("RoomStatus")
    room_type = Text("RoomType")
    room_duration = Number("RoomDuration")
    sequence_number = Number("SequenceNumber")
    timestamp = Text("Timestamp")
    participant_sid = Text("ParticipantSid")
    participant_identity = Text("ParticipantIdentity")
    participant_status = Text("ParticipantStatus")
    participant_duration = Number("ParticipantDuration")
    track_sid = Text("TrackSid")
    track_kind = Text("TrackKind")
    recording_sid = Text("RecordingSid")
    source_sid = Text("SourceSid")
    media_uri = Text("MediaUri")
    duration = Number("Duration")
    size = Number("Size")
    container = Text("Container")
    codec = Text("Codec")


class CompositionEvent(WebhookEvent):
    """A composition has progressed. `status_callback_event` says how far, for example composition-available."""

    kind = "composition.*"
    status_callback_event = Text("StatusCallbackEvent")
    composition_sid = Text("CompositionSid")
    room_sid = Text("RoomSid")
    hook_sid = Text("HookSid")
    hook_friendly_name = Text("HookFriendlyName")
    composition_uri = Text("CompositionUri")
    media_uri = Text("MediaUri")
    percentage_done = Number("PercentageDone")
    seconds_remaining = Number("SecondsRemaining")
    duration = Number("Duration")
    size = Number("Size")
    failed_operation = Text("FailedOperation")
    error_message = Text("ErrorMessage")
    timestamp = Text("Timestamp")


COMPOSITION: Final = Kind(
    name="composition",
    topic=topics.EVENTS,
    condition=has("CompositionSid", "StatusCallbackEvent"),
    event_type=key("StatusCallbackEvent"),
    dedupe=key("CompositionSid", "PercentageDone?", "Timestamp?"),
    ordering=key("CompositionSid"),
    event=CompositionEvent,
    source=f"{_SOURCE}#compositions-callbacks",
    sample=Template(
        {
            "AccountSid": _ACCOUNT,
            "CompositionSid": "CJ*",
            "RoomSid": "RM*",
            "StatusCallbackEvent": "<event>",
            "Timestamp": "2025-06-19T15:00:00.611Z",
            "CompositionUri": "/v1/Compositions/<CompositionSid>",
            "MediaUri": "/v1/Compositions/<CompositionSid>/Media",
            "Duration": "61",
            "Size": "81000",
        },
        short="composition",
        event="composition-available",
    ),
)
VIDEO: Final = Kind(
    name="video",
    topic=topics.EVENTS,
    condition=has("RoomSid", "StatusCallbackEvent"),
    event_type=key("StatusCallbackEvent"),
    dedupe=key("RoomSid", "SequenceNumber|Timestamp", "RecordingSid?", "TrackSid?", "ParticipantSid?"),
    ordering=key("RoomSid"),
    event=VideoEvent,
    source=f"{_SOURCE}#rooms-callbacks",
    sample=Template(
        {
            "AccountSid": _ACCOUNT,
            "RoomName": "standup",
            "RoomSid": "RM*",
            "RoomStatus": "in-progress",
            "RoomType": "group",
            "StatusCallbackEvent": "<event>",
            "Timestamp": "2025-06-19T15:00:00.611Z",
            "SequenceNumber": "2",
            "ParticipantSid": "PA*",
            "ParticipantStatus": "connected",
            "ParticipantIdentity": "zoe",
        },
        short="video",
        event="participant-connected",
    ),
)
KINDS: Final = (COMPOSITION, VIDEO)
