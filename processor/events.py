"""The events that handlers get: Twilio's parameters as attributes, decoded when they are first looked at."""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, Final, overload
from urllib.parse import urlsplit

from shared.event import Event
from shared.forms import parse_form

_HARMLESS: Final = re.compile(
    r".*(Sid|Status|Country|Version)|Num.*|Direction|SequenceNumber|Timestamp|.*Duration|CallbackSource|EventType|MessageType"
)
"""Names of parameters whose values may be logged; what Twilio adds tomorrow is personal until it is known not to be."""


class Text:
    """An attribute that is the text of parameter `name`, empty where Twilio did not send it."""

    def __init__(self, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, event: None, owner: type) -> "Text": ...
    @overload
    def __get__(self, event: "WebhookEvent", owner: type) -> str: ...
    def __get__(self, event: "WebhookEvent | None", owner: type) -> "str | Text":
        """Read the parameter."""
        return self if event is None else event.params.get(self._name, "")


class Number:
    """An attribute that is the whole number in parameter `name`, 0 where there is none."""

    def __init__(self, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, event: None, owner: type) -> "Number": ...
    @overload
    def __get__(self, event: "WebhookEvent", owner: type) -> int: ...
    def __get__(self, event: "WebhookEvent | None", owner: type) -> "int | Number":
        """Read the parameter."""
        if event is None:
            return self
        value = event.params.get(self._name, "")
        return int(value) if value.isdecimal() else 0


class WebhookEvent:
    """Any accepted webhook. `raw` is the envelope, with the body bytes as Twilio sent them."""

    kind: ClassVar[str] = ""

    def __init__(self, raw: Event) -> None:
        self.raw = raw

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.raw.kind} {self.raw.id}>"

    @property
    def id(self) -> str:
        """The event id, the same in every attempt."""
        return self.raw.id

    @cached_property
    def params(self) -> Mapping[str, str]:
        """All parameters by Twilio's names, known or not; of a repeated one, the last."""
        return parse_form(self.raw.body or urlsplit(self.raw.target).query.encode()).params

    account_sid = Text("AccountSid")


class MessageReceived(WebhookEvent):
    """Somebody sent an SMS, MMS, WhatsApp or RCS message."""

    kind = "message.received"
    message_sid = Text("MessageSid")
    messaging_service_sid = Text("MessagingServiceSid")
    from_ = Text("From")
    to = Text("To")
    body = Text("Body")
    num_media = Number("NumMedia")
    num_segments = Number("NumSegments")
    profile_name = Text("ProfileName")
    wa_id = Text("WaId")
    button_text = Text("ButtonText")
    button_payload = Text("ButtonPayload")

    @property
    def media(self) -> list[tuple[str, str]]:
        """URL and content type of each attachment."""
        return [
            (self.params.get(f"MediaUrl{number}", ""), self.params.get(f"MediaContentType{number}", ""))
            for number in range(self.num_media)
        ]


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
    """A call came in, or took its next step."""

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


def personal_values(event: WebhookEvent) -> list[str]:
    """Give the values that must stay out of logs, none if the event cannot even be parsed."""
    try:
        return [value for name, value in event.params.items() if not _HARMLESS.fullmatch(name)]
    except ValueError:
        return []


_TYPES: Final = {event.kind: event for event in (MessageReceived, MessageStatus, CallReceived, CallStatus)}


def typed(raw: Event) -> WebhookEvent:
    """Give `raw` as the class for its kind, or as a plain `WebhookEvent`."""
    return _TYPES.get(raw.kind, WebhookEvent)(raw)
