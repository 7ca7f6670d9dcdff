"""What a handler returns for a live event, as the answer that Twilio waits for. Pure.

Source of the verbs: https://www.twilio.com/docs/voice/twiml.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from hookline_processor.replies.message import UnfitError
from hookline_processor.replies.twiml import LONGEST, is_twiml
from hookline_shared.catalogue.webhook_event import WebhookEvent
from hookline_shared.live import LiveAnswer, is_call

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_XML: Final = "text/xml"
_XML_TYPES: Final = (_XML, "application/xml", "text/html")
_WITHOUT_BODY: Final = (204, 205, 304)
_CONTENT_TYPE: Final = re.compile(r"[!-~]+/[ -~]+")
STATUSES: Final = frozenset(int(one) for one in HTTPStatus if 200 <= one < 300 or 400 <= one < 600)  # noqa: PLR2004
"""Those that Twilio can use, and that HTTP knows: ingress names each in its reply."""
VERBS: Final = frozenset(
    {
        *(
            "Connect",
            "Dial",
            "Echo",
            "Enqueue",
            "Gather",
            "Hangup",
            "Leave",
            "Pause",
            "Pay",
            "Play",
            "Prompt",
            "Queue",
            "Record",
        ),
        *("Redirect", "Refer", "Reject", "Say", "Sms", "Start", "Stop"),
    }
)


@dataclass(frozen=True, slots=True)
class Response:
    """What Twilio gets for a hook, or a call, on a live route. Return it from a handler.

    - `body`: text, such as JSON; `content_type` says what it is.
    - `status`: an HTTP status, 2xx, 4xx or 5xx. Twilio's hooks before an action refuse that with a 4xx.

    Raises:
        UnfitError: if Twilio cannot use it. In a handler, the event becomes a dead letter with the reason "unfit".

    """

    body: str = ""
    content_type: str = field(default="application/json", kw_only=True)
    status: int = field(default=200, kw_only=True)

    def __post_init__(self) -> None:
        """Check it."""
        if not isinstance(self.body, str):
            raise UnfitError(f"The body of a Response is a str, not {type(self.body).__name__}.")
        if len(self.body.encode(errors="replace")) > LONGEST:
            raise UnfitError(f"The body of a Response has {LONGEST} bytes at most.")
        if not is_utf_8(self.body):  # the settlement that stores it would fail, and the processor with it
            raise UnfitError("The body of a Response has half of a surrogate pair, which UTF-8 cannot encode.")
        if not isinstance(self.content_type, str) or not _CONTENT_TYPE.fullmatch(self.content_type):
            raise UnfitError("content_type is none. Write it like application/json, in ASCII.")
        if self.status not in STATUSES:
            raise UnfitError(f"status={self.status} is none that Twilio can use: 2xx, 4xx or 5xx, as HTTP defines them.")
        if self.body and self.status in _WITHOUT_BODY:
            raise UnfitError(f"A {self.status} has no body; use 200.")


def answer_to(event: WebhookEvent, returned: object) -> LiveAnswer | None:
    """Return the answer to the live `event` whose handler returned `returned`; None if it returned nothing.

    Raises:
        UnfitError: if Twilio cannot use it.

    """
    if returned is None or returned == []:
        return None
    if isinstance(returned, Response):
        return _answer_of(returned, for_call=is_call(event.raw.kind))
    text = returned if isinstance(returned, str) else str(returned)
    if not is_twiml(text):
        what = f"a value of type {type(returned).__name__}" if returned != "" else "an empty str"
        raise UnfitError(
            f"The handler of {event.raw.kind} returned {what}, which is no TwiML. Return a VoiceResponse of twilio.twiml, "
            "its text, a Response, or None."
        )
    check_twiml(text)
    return LiveAnswer("reply", content_type=_XML, body=text)


def is_utf_8(text: str) -> bool:
    """Whether UTF-8 can encode `text`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _answer_of(response: Response, *, for_call: bool) -> LiveAnswer | None:
    if for_call:
        _check_audible(response)
        if not response.body:
            return None
    content_type = _as_utf_8(response.content_type) if response.body else ""
    return LiveAnswer("reply", status=response.status, content_type=content_type, body=response.body)


def _as_utf_8(content_type: str) -> str:
    """Return `content_type` with the charset, if it is a text without one: the default of a plain text is another one."""
    is_bare = content_type.lower().startswith("text/") and "charset=" not in content_type.lower()
    return f"{content_type}; charset=utf-8" if is_bare else content_type


def _check_audible(response: Response) -> None:
    """Raise `UnfitError` unless a caller can hear `response`: at anything else, Twilio hangs up."""
    if not 200 <= response.status < 300:  # noqa: PLR2004
        raise UnfitError(f"A call is answered with a 2xx, not with {response.status}: Twilio would hang up.")
    media_type = response.content_type.partition(";")[0].strip().lower()
    if not response.body or media_type == "text/plain":
        return
    if media_type not in _XML_TYPES:
        raise UnfitError(f'A call is answered with TwiML or text, not {media_type}. Pass content_type="text/xml".')
    if not is_twiml(response.body):
        raise UnfitError("The Response to a call is no TwiML: it does not begin with <Response>.")
    check_twiml(response.body)


def check_twiml(text: str) -> None:
    """Check that Twilio can read `text`.

    Raises:
        UnfitError: if it is too long, or no XML.

    """
    _parsed(text)


def unknown_verbs(text: str) -> list[str]:
    """Return the verbs in TwiML for a call that Twilio does not know, as far as it is known here."""
    return sorted(set(_verbs(_parsed(text))) - VERBS)


def _verbs(response: "Element") -> Iterator[str]:
    return (verb.tag for verb in response)


def _parsed(text: str) -> "Element":
    if (size := len(text.encode(errors="replace"))) > LONGEST:
        raise UnfitError(f"The TwiML has {size} bytes, and {LONGEST} are the most.")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UnfitError("The TwiML has a document type, which TwiML does not use.")
    from xml.etree.ElementTree import ParseError, fromstring  # noqa: PLC0415 - it takes memory that most processors need not

    try:
        return fromstring(text.strip().encode())  # noqa: S314 - without entities, nothing in it can grow
    except (ParseError, ValueError) as error:
        raise UnfitError(f"The TwiML is no XML: {error}.") from None
