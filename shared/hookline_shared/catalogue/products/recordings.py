"""Recordings and transcriptions of calls and conferences."""

from pathlib import Path
from typing import Final

from hookline_shared import topics
from hookline_shared.catalogue.fields import Json, Number, Text
from hookline_shared.catalogue.kind import Kind, Template, has, key
from hookline_shared.catalogue.media import MOST_MEDIA_BYTES, Media, fetch
from hookline_shared.catalogue.products.voice import CALL
from hookline_shared.catalogue.webhook_event import WebhookEvent

__all__ = ["RecordingStatus", "Transcription"]

_API: Final = "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001"


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

    async def fetch_media(
        self, number: int = 0, *, path: Path | str | None = None, most_bytes: int = MOST_MEDIA_BYTES
    ) -> Media:
        """Fetch the recording as WAV, into memory, or into the file `path`. Await it in an async handler. It has the number 0.

        Raises:
            IndexError: if the event names no recording, or `number` is not 0.
            MediaError: if it cannot be fetched: Twilio does not have it yet, or refuses the credentials.
            MediaTooLargeError: if it has more than `most_bytes` bytes. If not caught, the event becomes a dead letter.

        """
        if number or not self.recording_url:
            raise IndexError("The event names one recording at most, with the number 0, and only when it is complete.")
        return await fetch(self.recording_url, self.account_sid, path, most_bytes)


class Transcription(WebhookEvent):
    """A recording was transcribed, or a call is being transcribed. For a call, `transcription_event` names the step.

    `transcription_data` is JSON with the spoken text; `final` is "true" or "false".
    """

    kind = "transcription"
    transcription_sid = Text("TranscriptionSid")
    transcription_status = Text("TranscriptionStatus")
    transcription_text = Text("TranscriptionText")
    transcription_type = Text("TranscriptionType")
    transcription_url = Text("TranscriptionUrl")
    transcription_event = Text("TranscriptionEvent")
    transcription_data = Text("TranscriptionData")
    transcription_data_json = Json("TranscriptionData")
    transcription_error = Text("TranscriptionError")
    transcription_error_code = Text("TranscriptionErrorCode")
    sequence_id = Number("SequenceId")
    timestamp = Text("Timestamp")
    language_code = Text("LanguageCode")
    track = Text("Track")
    final = Text("Final")
    stability = Text("Stability")
    call_sid = Text("CallSid")
    recording_sid = Text("RecordingSid")
    recording_url = Text("RecordingUrl")


TRANSCRIPTION: Final = Kind(
    name="transcription",
    topic=topics.STATUSES,
    condition=has("TranscriptionSid", "TranscriptionStatus|TranscriptionEvent"),
    dedupe=key("TranscriptionSid", "TranscriptionStatus?", "TranscriptionEvent?", "SequenceId?"),
    ordering=key("CallSid|TranscriptionSid"),
    event=Transcription,
    source="https://www.twilio.com/docs/voice/twiml/record#transcribecallback, "
    "https://www.twilio.com/docs/voice/twiml/transcription#statuscallback",
    sample=Template(
        CALL
        | {
            "CallStatus": "completed",
            "TranscriptionSid": "TR*",
            "TranscriptionText": "Please call me back.",
            "TranscriptionStatus": "completed",
            "TranscriptionType": "fast",
            "TranscriptionUrl": f"{_API}/Recordings/<RecordingSid>/Transcriptions/<TranscriptionSid>",
            "RecordingSid": "RE*",
            "RecordingUrl": f"{_API}/Recordings/<RecordingSid>",
        },
        short="transcription",
        path="/twilio/transcription",
        sender="From",
    ),
)
RECORDING_STATUS: Final = Kind(
    name="recording.status",
    topic=topics.STATUSES,
    condition=has("RecordingSid", "RecordingStatus"),
    dedupe=key("RecordingSid", "RecordingStatus"),
    ordering=key("CallSid|RecordingSid"),
    event=RecordingStatus,
    source="https://www.twilio.com/docs/voice/api/recording#recordingstatuscallback",
    sample=Template(
        {
            "RecordingSource": "StartCallRecordingAPI",
            "RecordingSid": "RE*",
            "RecordingUrl": f"{_API}/Recordings/<RecordingSid>",
            "RecordingStatus": "completed",
            "RecordingChannels": "2",
            "ErrorCode": "0",
            "CallSid": "CA*",
            "RecordingStartTime": "Thu, 19 Jun 2025 15:00:00 +0000",
            "AccountSid": "AC00000000000000000000000000000001",
            "RecordingDuration": "61",
            "RecordingTrack": "both",
        },
        short="recording",
        path="/twilio/recording",
    ),
)
KINDS: Final = (TRANSCRIPTION, RECORDING_STATUS)
