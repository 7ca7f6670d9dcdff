"""What the answer of an app means: messages, nothing, or a failure. Pure.

Source of what Twilio expects: https://www.twilio.com/docs/messaging/twiml#twilio-expects.
"""

import re
from email.message import Message as Headers
from typing import Final, NamedTuple
from urllib.parse import urljoin

from hookline_processor.replies.live_answer import STATUSES, Response
from hookline_processor.replies.message import Message, Reply, UnfitError
from hookline_processor.replies.twiml import is_twiml, messages_of
from hookline_processor.verdicts import AwayError
from hookline_shared.catalogue.products.messaging import MessageReceived
from hookline_shared.catalogue.webhook_event import WebhookEvent
from hookline_shared.live import is_call, live_of

LARGEST: Final = 65_536
"""Bytes of an answer that are read. Twilio refuses more with error 11750."""
LONGEST_AWAY_MS: Final = 86_400_000
"""How old an event is until an app that is away costs it no attempts."""
_QUOTED: Final = 500
_XML: Final = ("text/xml", "application/xml", "text/html")
"""What Twilio takes for TwiML. Flask sends TwiML as text/html unless it is told otherwise."""
_AWAY: Final = (429, 502, 503, 504)
_LOOP: Final = 508
_HOOKS: Final = ("conversation.", "chat.")
_NOT_REFUSED: Final = (401, 404, 408)
"""An app that is being deployed answers so, or whose validator does not know the token."""
_REFUSES_SIGNATURE: Final = (401, 403)
_DECLARATION: Final = re.compile(r"\A\s*<\?xml[^>]*\?>")
_DECLARED: Final = re.compile(rb"""\s*<\?xml[^>]*?encoding=["']([A-Za-z0-9._-]+)["']""")
_UTF_8: Final = "utf-8"
_LONGEST_DELAY_S: Final = 300.0

NOT_SENT: Final = "it answers messages with something that is neither TwiML nor plain text, so nothing is sent"
NOT_LIVE: Final = "it answers calls with TwiML, which only a live route plays to the caller"


class Answer(NamedTuple):
    """The answer of an app. `body` has at most `LARGEST` bytes; `is_cut` is whether there were more."""

    status: int
    content_type: str = ""
    body: bytes = b""
    is_cut: bool = False
    is_encoded: bool = False
    retry_after: str = ""
    location: str = ""

    @property
    def media_type(self) -> str:
        """The content type, without parameters."""
        return self.content_type.partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as text. What is no text in the charset of the answer is replaced."""
        try:
            found = self.body.decode(self.charset, errors="replace")
        except (LookupError, UnicodeError):
            found = self.body.decode(errors="replace")
        return found.removeprefix("\ufeff").encode(errors="replace").decode()  # some charsets make halves of surrogate pairs

    @property
    def charset(self) -> str:
        """The charset that the content type names, or else the XML. That is not UTF-16 if it can be read byte by byte."""
        headers = Headers()
        headers["Content-Type"] = self.content_type or "text/plain"
        found = _DECLARED.match(self.body) if self.media_type in _XML else None
        declared = found[1].decode().lower() if found else _UTF_8
        return str(headers.get_content_charset(_UTF_8 if declared.startswith(("utf-16", "ucs")) else declared))

    @property
    def type_as_utf_8(self) -> str:
        """The content type of `text` when it is encoded in UTF-8."""
        if self.charset == _UTF_8:
            return self.content_type or "text/plain"
        return f"{self.media_type or 'text/plain'}; charset={_UTF_8}"


class AppError(Exception):
    """The app has not accepted the event. `answer` is what it said, which is stored in a dead letter and never logged."""

    def __init__(self, message: str, answer: str = "") -> None:
        super().__init__(message)
        self.answer = answer


class AppTimeoutError(AppError, TimeoutError):
    """The app did not answer in time."""


class AppAwayError(AwayError):
    """The app is away, or says that it has no time. That says nothing about the event."""


class Accepted(NamedTuple):
    """The app has accepted the event: `replies` are sent. `finding` is what its owner should know, or empty.

    `response` is what Twilio gets, if it waits for that.
    """

    replies: list[Reply | Message]
    finding: str = ""
    response: Response | None = None


def accepted(event: WebhookEvent, answer: Answer, public_url: str) -> Accepted:
    """Return what the 2xx `answer` to `event` means. Relative URLs in it are relative to `public_url`, that Twilio called.

    Raises:
        UnfitError: if the event is a message, or live, and its answer cannot be used.

    """
    if live_of(event.raw.dedupe_key) is not None:
        return Accepted([], response=_response(event, answer))
    if not isinstance(event, MessageReceived):
        is_call = event.raw.kind == "call.received" and is_twiml(answer.text) and "<Response/>" not in answer.text
        return Accepted([], NOT_LIVE if is_call else "")
    if not answer.body.strip():
        return Accepted([])
    _check_readable(answer)
    if answer.media_type == "text/plain":
        return Accepted([Reply(answer.text.strip())])
    text = _DECLARATION.sub("", answer.text, 1)
    if answer.media_type in _XML and is_twiml(text):
        return Accepted(messages_of(text, event.from_, lambda url: _absolute(url, public_url)))
    if answer.media_type in ("text/xml", "application/xml"):
        raise UnfitError("The app's answer is XML, and no TwiML: it does not begin with <Response>.")
    return Accepted([], NOT_SENT)


def is_refusal(event: WebhookEvent, answer: Answer) -> bool:
    """Whether `answer` is how the app refuses what `event` asks for: Twilio's hooks before an action do that with a 4xx."""
    is_hook = live_of(event.raw.dedupe_key) is not None and event.raw.kind.startswith(_HOOKS)
    refuses = answer.status in STATUSES and 400 <= answer.status < 500  # noqa: PLR2004
    return is_hook and refuses and answer.status not in (*_AWAY, *_NOT_REFUSED)


def _response(event: WebhookEvent, answer: Answer) -> Response | None:
    """Return what Twilio gets for a live event; None if that is what it gets of the route."""
    if not answer.body.strip() and 200 <= answer.status < 300:  # noqa: PLR2004
        return None
    _check_readable(answer)
    if not is_call(event.raw.kind):
        status = answer.status if answer.status in STATUSES else 200
        return Response(answer.text, content_type=answer.type_as_utf_8, status=status)
    if answer.media_type == "text/plain":
        return Response(answer.text, content_type=answer.type_as_utf_8)
    text = _DECLARATION.sub("", answer.text, 1)
    if answer.media_type not in _XML or not is_twiml(text):
        raise UnfitError(f"The app answered a call with {answer.media_type or 'no content type'}, which is no TwiML.")
    return Response(text, content_type="text/xml")


def refused(answer: Answer, *, may_wait: bool, jitter: float) -> AppError | AppAwayError:
    """Return the error for an `answer` that is no 2xx. `may_wait` is whether the event may wait longer for an app that is away.

    `jitter` is random, from 0 to 1.
    """
    if may_wait and answer.status != _LOOP and (answer.status in _AWAY or answer.retry_after):
        return AppAwayError(f"The app answered {answer.status}.", _delay_s(answer.retry_after, jitter))
    return AppError(_refusal(answer), answer.text[:_QUOTED])


def unreachable(reason: str, *, may_wait: bool, jitter: float) -> AppError | AppAwayError:
    """Return the error for an app to which there is no connection. The rest is as for `refused`."""
    message = f"The app cannot be reached: {reason}."
    return AppAwayError(message, _delay_s("", jitter)) if may_wait else AppError(message)


def _refusal(answer: Answer) -> str:
    if answer.status == _LOOP:
        return "The url of the forward leads back to Hookline's own ingress (508). Set it to the URL of your app."
    if answer.status in _REFUSES_SIGNATURE:
        return (
            f"The app answered {answer.status}. If that is its validator: it must know the auth token of the account, and see "
            "the URL of the forward as its own; see docs/forwarding.md."
        )
    if 300 <= answer.status < 400:  # noqa: PLR2004
        return (
            f"The app answered {answer.status}, a redirect that is not followed: only 307 and 308 to the same origin are. "
            "Set the URL to where it leads."
        )
    return f"The app answered {answer.status}."


def _check_readable(answer: Answer) -> None:
    if answer.is_encoded:
        raise UnfitError("The app's answer is compressed, though the request asked for no compression (Accept-Encoding).")
    if answer.is_cut:
        raise UnfitError(f"The app's answer has more than {LARGEST} bytes, which Twilio does not accept either.")


def _absolute(url: str, public_url: str) -> str:
    return urljoin(public_url, url) if public_url else url


def _delay_s(retry_after: str, jitter: float) -> float:
    """Return the seconds until the next attempt: what the app asks for, or from 1 to 3."""
    asked = float(retry_after) if retry_after.isascii() and retry_after.isdecimal() else 0.0
    return min(asked, _LONGEST_DELAY_S) or 1.0 + 2.0 * jitter
