"""Sample webhooks of messages and calls."""

from hookline_processor.samples.sids import ACCOUNT_SID, RECIPIENT, SENDER, Overrides, new_sid, sid_or_new

_CALLED_AT = "Thu, 19 Jun 2025 15:00:00 +0000"
_API = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT_SID}"


def message_received(overrides: Overrides) -> dict[str, str]:
    """Return an inbound SMS."""
    sid = sid_or_new(overrides, "MessageSid", "SM")
    return {
        "ToCountry": "US",
        "ToState": "CA",
        "SmsMessageSid": sid,
        "NumMedia": "0",
        "ToCity": "SAN FRANCISCO",
        "FromZip": "94107",
        "SmsSid": sid,
        "FromState": "CA",
        "SmsStatus": "received",
        "FromCity": "OAKLAND",
        "Body": "Hello",
        "FromCountry": "US",
        "To": RECIPIENT,
        "MessagingServiceSid": "MG00000000000000000000000000000001",
        "ToZip": "94105",
        "NumSegments": "1",
        "MessageSid": sid,
        "AccountSid": ACCOUNT_SID,
        "From": SENDER,
        "ApiVersion": "2010-04-01",
    }


def message_status(overrides: Overrides) -> dict[str, str]:
    """Return the delivery of an outbound SMS."""
    sid = sid_or_new(overrides, "MessageSid", "SM")
    status = str(overrides.get("MessageStatus") or "delivered")
    return {
        "SmsSid": sid,
        "SmsStatus": status,
        "MessageStatus": status,
        "To": SENDER,
        "MessageSid": sid,
        "AccountSid": ACCOUNT_SID,
        "From": RECIPIENT,
        "ApiVersion": "2010-04-01",
    }


def call_received(overrides: Overrides) -> dict[str, str]:
    """Return an inbound call that rings."""
    sender, recipient = str(overrides.get("From") or SENDER), str(overrides.get("To") or RECIPIENT)
    return {
        "AccountSid": ACCOUNT_SID,
        "ApiVersion": "2010-04-01",
        "CallSid": new_sid("CA"),
        "CallStatus": "ringing",
        "Called": recipient,
        "CalledCountry": "US",
        "CalledState": "CA",
        "Caller": sender,
        "CallerCountry": "US",
        "CallerState": "CA",
        "Direction": "inbound",
        "From": sender,
        "FromCountry": "US",
        "To": recipient,
        "ToCountry": "US",
    }


def call_status(overrides: Overrides) -> dict[str, str]:
    """Return the end of a call."""
    progress = {
        "CallStatus": "completed",
        "CallDuration": "12",
        "Duration": "1",
        "CallbackSource": "call-progress-events",
        "SequenceNumber": "3",
        "Timestamp": _CALLED_AT,
    }
    return call_received(overrides) | progress


def recording_status(overrides: Overrides) -> dict[str, str]:
    """Return a recording of a call that is ready."""
    sid = sid_or_new(overrides, "RecordingSid", "RE")
    return {
        "RecordingSource": "StartCallRecordingAPI",
        "RecordingSid": sid,
        "RecordingUrl": f"{_API}/Recordings/{sid}",
        "RecordingStatus": "completed",
        "RecordingChannels": "2",
        "ErrorCode": "0",
        "CallSid": new_sid("CA"),
        "RecordingStartTime": _CALLED_AT,
        "AccountSid": ACCOUNT_SID,
        "RecordingDuration": "61",
        "RecordingTrack": "both",
    }


def transcription(overrides: Overrides) -> dict[str, str]:
    """Return the transcription of a recording, with the parameters of the call."""
    recording = sid_or_new(overrides, "RecordingSid", "RE")
    sid = sid_or_new(overrides, "TranscriptionSid", "TR")
    return call_received(overrides) | {
        "CallStatus": "completed",
        "TranscriptionSid": sid,
        "TranscriptionText": "Please call me back.",
        "TranscriptionStatus": "completed",
        "TranscriptionType": "fast",
        "TranscriptionUrl": f"{_API}/Recordings/{recording}/Transcriptions/{sid}",
        "RecordingSid": recording,
        "RecordingUrl": f"{_API}/Recordings/{recording}",
    }


def unknown(_overrides: Overrides) -> dict[str, str]:
    """Return a webhook of a product that Hookline does not know."""
    return {"AccountSid": ACCOUNT_SID, "FaxSid": new_sid("FX"), "FaxStatus": "delivered"}
