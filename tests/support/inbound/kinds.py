"""What Twilio sends of messages and calls: every parameter of each kind of webhook.

Nothing here uses Hookline's code, so nothing vouches for itself. Builders give parameters as (name, value) pairs, in the order
in which Twilio sends them; keyword arguments replace or add parameters, and None leaves one out.
"""

import secrets
from collections.abc import Mapping
from typing import Final

from tests.support.inbound.webhooks import Params

ACCOUNT: Final = "AC" + "1" * 32
SENDER: Final = "+14155550123"
RECIPIENT: Final = "+18005551212"


def sid(prefix: str) -> str:
    """Return a fresh SID, such as SM0f1e…"""
    return prefix + secrets.token_hex(16)


def message(**changes: str | None) -> Params:
    """Return an inbound SMS."""
    message_sid = changes.get("MessageSid") or sid("SM")
    return changed(
        {
            "ToCountry": "US",
            "ToState": "CA",
            "SmsMessageSid": message_sid,
            "NumMedia": "0",
            "ToCity": "SAN FRANCISCO",
            "FromZip": "94107",
            "SmsSid": message_sid,
            "FromState": "CA",
            "SmsStatus": "received",
            "FromCity": "OAKLAND",
            "Body": "Is the café open? 1 + 1 = 2 & so on 🙂",
            "FromCountry": "US",
            "To": RECIPIENT,
            "MessagingServiceSid": "MG" + "2" * 32,
            "ToZip": "94105",
            "NumSegments": "1",
            "MessageSid": message_sid,
            "AccountSid": ACCOUNT,
            "From": SENDER,
            "ApiVersion": "2010-04-01",
        },
        changes,
    )


def picture_message(**changes: str | None) -> Params:
    """Return an inbound MMS with two pictures."""
    media = {
        "NumMedia": "2",
        "MediaUrl0": f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages/MM1/Media/ME1",
        "MediaContentType0": "image/jpeg",
        "MediaUrl1": f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages/MM1/Media/ME2",
        "MediaContentType1": "image/png",
    }
    return message(**{"MessageSid": sid("MM"), "Body": ""} | media | changes)


def whatsapp_message(**changes: str | None) -> Params:
    """Return an inbound WhatsApp message: a button was pressed."""
    whatsapp = {
        "From": f"whatsapp:{SENDER}",
        "To": f"whatsapp:{RECIPIENT}",
        "ProfileName": "Zoë",
        "WaId": SENDER.removeprefix("+"),
        "ButtonText": "Yes",
        "ButtonPayload": "confirm",
        "OriginalRepliedMessageSid": sid("SM"),
        "MessageType": "button",
        "ChannelMetadata": '{"type":"whatsapp","data":{}}',
    }
    return message(**whatsapp | changes)


def message_status(status: str = "delivered", **changes: str | None) -> Params:
    """Return the status callback of an outbound SMS."""
    message_sid = changes.get("MessageSid") or sid("SM")
    return changed(
        {
            "SmsSid": message_sid,
            "SmsStatus": status,
            "MessageStatus": status,
            "To": SENDER,
            "MessagingServiceSid": "MG" + "2" * 32,
            "MessageSid": message_sid,
            "AccountSid": ACCOUNT,
            "From": RECIPIENT,
            "ApiVersion": "2010-04-01",
        },
        changes,
    )


def whatsapp_status(status: str, event_type: str, **changes: str | None) -> Params:
    """Return the status callback of an outbound WhatsApp message; `event_type` is READ for the read receipt."""
    whatsapp = {
        "EventType": event_type,
        "ChannelPrefix": "whatsapp",
        "ChannelInstallSid": sid("XE"),
        "ChannelToAddress": SENDER,
        "StructuredMessage": "false",
        "From": f"whatsapp:{RECIPIENT}",
        "To": f"whatsapp:{SENDER}",
    }
    return message_status(status, **whatsapp | changes)


def call(**changes: str | None) -> Params:
    """Return an inbound call, or with `Digits` and the like a later step of it."""
    return changed(
        {
            "AccountSid": ACCOUNT,
            "ApiVersion": "2010-04-01",
            "CallSid": sid("CA"),
            "CallStatus": "ringing",
            "CallToken": '{"parentCallInfoToken":"e30"}',
            "Called": RECIPIENT,
            "CalledCity": "",
            "CalledCountry": "US",
            "CalledState": "CA",
            "CalledZip": "",
            "Caller": SENDER,
            "CallerCity": "OAKLAND",
            "CallerCountry": "US",
            "CallerState": "CA",
            "CallerZip": "94107",
            "Direction": "inbound",
            "From": SENDER,
            "FromCity": "OAKLAND",
            "FromCountry": "US",
            "FromState": "CA",
            "FromZip": "94107",
            "StirVerstat": "TN-Validation-Passed-A",
            "To": RECIPIENT,
            "ToCountry": "US",
        },
        changes,
    )


def call_status(status: str = "completed", **changes: str | None) -> Params:
    """Return a call's progress callback."""
    progress = {
        "CallStatus": status,
        "CallDuration": "12",
        "Duration": "1",
        "CallbackSource": "call-progress-events",
        "SequenceNumber": "3",
        "Timestamp": "Thu, 19 Jun 2025 15:00:00 +0000",
    }
    return call(**progress | changes)


def unknown(**changes: str | None) -> Params:
    """Return a webhook of a product that Hookline does not know."""
    return changed({"AccountSid": ACCOUNT, "GizmoSid": sid("GZ"), "GizmoStatus": "delivered"}, changes)


def changed(params: Mapping[str, str], changes: Mapping[str, str | None]) -> Params:
    return tuple((name, value) for name, value in {**params, **changes}.items() if value is not None)


def recording_status(status: str = "completed", **changes: str | None) -> Params:
    """Return the status callback of a call's recording."""
    recording_sid = changes.get("RecordingSid") or sid("RE")
    return changed(
        {
            "RecordingSource": "StartCallRecordingAPI",
            "RecordingSid": recording_sid,
            "RecordingUrl": f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/{recording_sid}",
            "RecordingStatus": status,
            "RecordingChannels": "2",
            "ErrorCode": "0",
            "CallSid": sid("CA"),
            "RecordingStartTime": "Thu, 19 Jun 2025 15:00:00 +0000",
            "AccountSid": ACCOUNT,
            "RecordingDuration": "61",
            "RecordingTrack": "both",
        },
        changes,
    )


def transcription(status: str = "completed", **changes: str | None) -> Params:
    """Return the callback of a recording's transcription: it has the parameters of the call, too."""
    recording_sid = changes.get("RecordingSid") or sid("RE")
    transcribed = {
        "TranscriptionSid": sid("TR"),
        "TranscriptionText": "Please call me back, Zoë.",
        "TranscriptionStatus": status,
        "TranscriptionType": "fast",
        "TranscriptionUrl": f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/{recording_sid}/Transcriptions/TR1",
        "RecordingSid": recording_sid,
        "RecordingUrl": f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/{recording_sid}",
        "CallStatus": "completed",
    }
    return call(**transcribed | changes)


def live_transcription(event: str = "transcription-content", **changes: str | None) -> Params:
    """Return what was just said in a call."""
    return changed(
        {
            "LanguageCode": "en-US",
            "TranscriptionSid": sid("GT"),
            "TranscriptionEvent": event,
            "CallSid": sid("CA"),
            "TranscriptionData": '{"transcript":"to be or not to be","confidence":0.9682}',
            "Timestamp": "2025-06-19T15:00:00.611Z",
            "AccountSid": ACCOUNT,
            "Track": "inbound_track",
            "Final": "true",
            "SequenceId": "2",
        },
        changes,
    )
