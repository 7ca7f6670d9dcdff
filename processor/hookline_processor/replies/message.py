"""What handlers send: messages, and replies, which are messages to whoever sent the event. Pure.

The limits are those of Twilio's Messages API: https://www.twilio.com/docs/messaging/api/message-resource.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from hookline_processor.replies.segments import Segments, segments_of

LONGEST_BODY: Final = 1600
"""Characters of a text. Twilio refuses longer ones with error 21617."""
MOST_MEDIA: Final = 10
_ADDRESS: Final = re.compile(r"\+[1-9]\d{4,14}|\d{3,8}|[a-z]{2,20}:\S{1,200}")
"""A number in E.164, a short code, or an address of a channel such as whatsapp:+14155550123."""
_SENDER_NAME: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +&_-]{1,11}")
_SERVICE: Final = re.compile(r"MG[0-9a-fA-F]{32}")
_TEMPLATE: Final = re.compile(r"HX[0-9a-fA-F]{32}")


class UnfitError(ValueError):
    """What a handler returned or sends cannot be sent. The message says why, and what can."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply to whoever sent the event. Return it from a handler of `MessageReceived`.

    - `body`: the text, at most 1,600 characters.
    - `media`: URLs of attachments, 10 at most, which Twilio fetches.
    - `content_sid`, `content_variables`: a content template (HX…) and its variables, instead of the text.
    - `messaging_service_sid`: the messaging service (MG…) that sends it, instead of the number that got the event.
    - `send_at`: a datetime with a time zone, at which a messaging service sends it.
    - `status_callback`: a URL for status callbacks. By default it is that of ingress, which also tells what was sent.

    Raises:
        UnfitError: if Twilio would refuse it. In a handler, the event becomes a dead letter with the reason "unfit".

    """

    body: str = ""
    media: tuple[str, ...] = field(default=(), kw_only=True)
    content_sid: str = field(default="", kw_only=True)
    content_variables: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    messaging_service_sid: str = field(default="", kw_only=True)
    send_at: datetime | None = field(default=None, kw_only=True)
    status_callback: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        """Check it."""
        _check_content(self)
        _check_options(self)

    @property
    def segments(self) -> Segments | None:
        """How the text is sent as an SMS, None if the template says that. On WhatsApp it has no segments."""
        return segments_of(self.body) if self.body else None


@dataclass(frozen=True, slots=True)
class Message:
    """A message to anybody. Pass it to `context.send`.

    - `to`: a number such as "+14155550123", a short code, or an address of a channel, such as "whatsapp:+14155550123".
    - `from_`: the sender, in the same form, or a name. By default the number that got the event, if it is of the same channel.
    - The others are as for `Reply`.

    Raises:
        UnfitError: if Twilio would refuse it. In a handler, the event becomes a dead letter with the reason "unfit".

    """

    to: str
    body: str = ""
    from_: str = field(default="", kw_only=True)
    media: tuple[str, ...] = field(default=(), kw_only=True)
    content_sid: str = field(default="", kw_only=True)
    content_variables: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    messaging_service_sid: str = field(default="", kw_only=True)
    send_at: datetime | None = field(default=None, kw_only=True)
    status_callback: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        """Check it."""
        if not _is_address(self.to):
            raise UnfitError(f"to={self.to!r} is no address. Write a number as +14155550123, or whatsapp:+14155550123.")
        if self.from_ and not _is_sender(self.from_):
            raise UnfitError(f"from_={self.from_!r} is no sender. Write a number as +14155550123, or a name of 11 characters.")
        _check_content(self)
        _check_options(self)

    @property
    def segments(self) -> Segments | None:
        """How the text is sent as an SMS, None if it goes by another channel, or if the template says that."""
        return segments_of(self.body) if self.body and ":" not in self.to else None


def _is_address(value: object) -> bool:
    return isinstance(value, str) and _ADDRESS.fullmatch(value) is not None


def _is_sender(value: object) -> bool:
    return _is_address(value) or (isinstance(value, str) and _SENDER_NAME.fullmatch(value) is not None)


def _check_content(given: Reply | Message) -> None:
    if not isinstance(given.body, str):
        raise UnfitError(f"The text of a message is a str, not {type(given.body).__name__}.")
    if len(given.body) > LONGEST_BODY:
        raise UnfitError(f"The text has {len(given.body)} characters, and {LONGEST_BODY} are the most. Send several messages.")
    if given.body and not given.body.strip() and not given.media:
        raise UnfitError("The text has white space only. Return None to send nothing.")
    _check_media(given.media)
    if given.content_sid and not _TEMPLATE.fullmatch(given.content_sid):
        raise UnfitError(f"content_sid={given.content_sid!r} is not the SID of a content template, HX and 32 digits.")
    if not (given.body or given.media or given.content_sid):
        raise UnfitError("The message is empty: it has neither text, media nor content_sid. Return None to send nothing.")
    if given.content_sid and (given.body or given.media):
        raise UnfitError("A message has either content_sid, or a text and media: Twilio makes the text from the template.")
    if given.content_variables and not given.content_sid:
        raise UnfitError("content_variables need a content_sid, whose variables they are.")


def _check_media(media: object) -> None:
    if not isinstance(media, tuple | list) or not all(isinstance(url, str) for url in media):
        raise UnfitError("media is a tuple of URLs.")
    if len(media) > MOST_MEDIA:
        raise UnfitError(f"The message has {len(media)} media, and {MOST_MEDIA} are the most. Send several messages.")
    for url in media:
        if urlsplit(url).scheme not in ("http", "https"):
            raise UnfitError("media has something that is no URL with http or https, which Twilio could fetch.")


def _check_options(given: Reply | Message) -> None:
    if given.messaging_service_sid and not _SERVICE.fullmatch(given.messaging_service_sid):
        raise UnfitError(f"messaging_service_sid={given.messaging_service_sid!r} is not MG and 32 digits.")
    if given.send_at is not None:
        if given.send_at.tzinfo is None:
            raise UnfitError("send_at has no time zone. Write datetime(..., tzinfo=UTC).")
        if not given.messaging_service_sid:
            raise UnfitError("Only messaging services send at a time: send_at needs a messaging_service_sid.")
    if given.status_callback and urlsplit(given.status_callback).scheme not in ("http", "https"):
        raise UnfitError("status_callback is no URL with http or https.")


def parameters_of(given: Reply | Message, to: str, sender: str) -> dict[str, Any]:
    """Return the parameters of Twilio's API for a message, from `sender` unless it names another one or a service."""
    own_sender = given.from_ if isinstance(given, Message) else ""
    by_service = given.messaging_service_sid and not own_sender
    parameters = {
        "To": to,
        "From": "" if by_service else own_sender or sender,
        "MessagingServiceSid": given.messaging_service_sid,
        "Body": given.body,
        "MediaUrl": list(given.media),
        "ContentSid": given.content_sid,
        "ContentVariables": _variables(given.content_variables),
        "SendAt": given.send_at.isoformat() if given.send_at else "",
        "StatusCallback": given.status_callback,
    }
    return {name: value for name, value in parameters.items() if value}


def _variables(variables: Mapping[str, str]) -> str:
    return msgspec.json.encode({str(name): str(value) for name, value in variables.items()}).decode() if variables else ""
