"""What the answer of an app means."""

import msgspec
import pytest

from hookline import CallReceived, Message, MessageReceived, MessageStatus, Reply, Response, UnfitError, WebhookEvent
from hookline_processor.forward.answer import (
    NOT_LIVE,
    NOT_SENT,
    Accepted,
    Answer,
    AppAwayError,
    AppError,
    accepted,
    is_refusal,
    refused,
    unreachable,
)
from hookline_processor.testkit.deliver import make_event

PUBLIC = "https://hooks.example.com/app/sms?x=1"
TWIML = b'<?xml version="1.0" encoding="UTF-8"?><Response><Message>hi</Message></Response>'


def event(kind: type[WebhookEvent] = MessageReceived) -> WebhookEvent:
    return kind(make_event(kind, From="+14155550123"))


def replies(content_type: str, body: bytes) -> list[Reply | Message]:
    return accepted(event(), Answer(200, content_type, body), PUBLIC).replies


@pytest.mark.parametrize("content_type", ["text/xml", "application/xml; charset=utf-8", "text/html; charset=utf-8"])
def test_twiml_is_carried_out(content_type: str) -> None:
    """Whatever Twilio takes for TwiML; Flask sends it as text/html."""
    assert replies(content_type, TWIML) == [Reply("hi")]


def test_text_is_a_message() -> None:
    """Also one that looks like TwiML: Twilio would send it as it is."""
    assert replies("text/plain", b"hello\n") == [Reply("hello")]
    assert replies("text/plain; charset=iso-8859-1", b"h\xf6i") == [Reply("höi")]
    assert replies("text/plain", b"<Response/>") == [Reply("<Response/>")]


@pytest.mark.parametrize("body", [b"", b" \n", b"<Response/>", b"<Response></Response>"])
def test_nothing_is_sent(body: bytes) -> None:
    """An empty answer, or empty TwiML."""
    assert accepted(event(), Answer(200, "text/xml", body), PUBLIC) == Accepted([])


@pytest.mark.parametrize(
    ("content_type", "body"), [("text/html", b"OK"), ("application/json", b'{"ok":true}'), ("", b"OK"), ("audio/mpeg", b"ID3")]
)
def test_what_is_no_reply_is_a_finding(content_type: str, body: bytes) -> None:
    """It is not texted to a customer, and its owner learns why nothing is."""
    assert accepted(event(), Answer(200, content_type, body), PUBLIC) == Accepted([], NOT_SENT)


def test_relative_callback_is_one_of_the_public_url() -> None:
    """Twilio cannot call a relative URL."""
    body = b'<Response><Message statusCallback="status">hi</Message></Response>'
    (reply,) = replies("text/xml", body)
    assert reply.status_callback == "https://hooks.example.com/app/status"
    with pytest.raises(UnfitError, match="status_callback"):
        accepted(event(), Answer(200, "text/xml", body), "")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(200, "text/xml", b"<Response><Message>"), "no XML"),
        (Answer(200, "text/xml", b"<Response><Say>hi</Say></Response>"), "<Say>"),
        (Answer(200, "text/xml", b"<html/>"), "no TwiML"),
        (Answer(200, "text/plain", b"x" * 1601), "1601 characters"),
        (Answer(200, "text/html", TWIML, is_cut=True), "more than 65536 bytes"),
        (Answer(200, "text/xml", b"\x1f\x8b", is_encoded=True), "compressed"),
    ],
)
def test_what_cannot_be_carried_out(answer: Answer, problem: str) -> None:
    """The error says what is wrong with it."""
    with pytest.raises(UnfitError, match=problem):
        accepted(event(), answer, PUBLIC)


def test_answers_to_others_than_messages_send_nothing() -> None:
    """Whatever they are. TwiML for a call is a finding: the caller does not hear it."""
    assert accepted(event(MessageStatus), Answer(200, "text/plain", b"OK", is_cut=True), PUBLIC) == Accepted([])
    assert accepted(event(CallReceived), Answer(200, "text/xml", b"<Response/>"), PUBLIC) == Accepted([])
    assert (
        accepted(event(CallReceived), Answer(200, "text/xml", b"<Response><Say>x</Say></Response>"), PUBLIC).finding == NOT_LIVE
    )


def test_app_that_is_away_costs_no_attempt() -> None:
    """It says so, or there is no connection."""
    for status in (429, 502, 503, 504):
        assert isinstance(refused(Answer(status), may_wait=True, jitter=0.5), AppAwayError)
    assert isinstance(unreachable("connection refused", may_wait=True, jitter=0.5), AppAwayError)


def test_retry_after_counts() -> None:
    """Up to five minutes; a date or nonsense is a moment."""
    delays = {"7": 7, "9999": 300, "": 2, "Fri, 31 Dec 1999 23:59:59 GMT": 2, "-1": 2}
    for retry_after, delay in delays.items():
        error = refused(Answer(503, retry_after=retry_after), may_wait=True, jitter=0.5)
        assert isinstance(error, AppAwayError)
        assert error.delay == delay
    assert isinstance(refused(Answer(500, retry_after="3"), may_wait=True, jitter=0), AppAwayError)


def test_old_event_uses_up_attempts() -> None:
    """So that one that the app never takes does not wait in silence."""
    assert isinstance(refused(Answer(503), may_wait=False, jitter=0), AppError)
    assert isinstance(unreachable("x", may_wait=False, jitter=0), AppError)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "answered 404"),
        (500, "answered 500"),
        (403, "validator"),
        (301, "redirect"),
        (308, "redirect"),
        (508, "leads back"),
    ],
)
def test_refusal_says_what_to_do(status: int, words: str) -> None:
    """And keeps the beginning of the answer for the dead letter, not for logs."""
    error = refused(Answer(status, "text/html", b"secret " + b"x" * 1000), may_wait=True, jitter=0)
    assert isinstance(error, AppError)
    assert words in str(error)
    assert "secret" not in str(error)
    assert error.answer == "secret " + "x" * 493


LIVE_HOOK = WebhookEvent(msgspec.structs.replace(make_event("studio"), dedupe_key="AC1:studio:x~!60"))
LIVE_CALL = CallReceived(msgspec.structs.replace(make_event(CallReceived), dedupe_key="AC1:call.received:x~!60"))


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/xml", b"\xef\xbb\xbf" + TWIML),
        (
            "text/xml; charset=utf-8",
            b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-16"?><Response><Message>hi</Message></Response>',
        ),
        ("text/xml", '<?xml version="1.0" encoding="ISO-8859-1"?><Response><Message>hi</Message></Response>'.encode("latin-1")),
    ],
)
def test_twiml_as_other_languages_write_it(content_type: str, body: bytes) -> None:
    """.NET begins with a byte order mark, and its writers declare UTF-16 whatever they write."""
    assert replies(content_type, body) == [Reply("hi")]


def test_declared_encoding_counts() -> None:
    """Where the content type has none."""
    twiml = '<?xml version="1.0" encoding="ISO-8859-1"?><Response><Message>Grüße</Message></Response>'
    assert replies("application/xml", twiml.encode("latin-1")) == [Reply("Grüße")]
    assert replies("application/xml; charset=utf-8", twiml.encode()) == [Reply("Grüße")]


@pytest.mark.parametrize(
    "content_type", ["text/plain; charset=idna", "text/plain; charset=unicode_escape", "text/plain; charset=x"]
)
def test_charset_that_is_none(content_type: str) -> None:
    """No answer makes a text that cannot be stored."""
    found = Answer(200, content_type, b"a\\ud83d").text
    assert found.encode() in (b"a\\ud83d", b"a?")


def test_live_answer_is_stored_as_utf_8() -> None:
    """So it says that of itself, whatever the app said."""
    found = accepted(LIVE_HOOK, Answer(200, "text/plain; charset=iso-8859-1", b"h\xf6i"), PUBLIC)
    assert found.response == Response("höi", content_type="text/plain; charset=utf-8")
    found = accepted(LIVE_CALL, Answer(200, "text/plain; charset=iso-8859-1", b"h\xf6i"), PUBLIC)
    assert found.response == Response("höi", content_type="text/plain; charset=utf-8")
    found = accepted(LIVE_HOOK, Answer(200, "application/json", b"{}"), PUBLIC)
    assert found.response == Response("{}", content_type="application/json")


def test_hook_is_not_refused_by_mistake() -> None:
    """A 403 refuses an action. Laravel's 419 says that a form has no token, and no server of ours could send it on."""
    hook = WebhookEvent(msgspec.structs.replace(make_event("conversation.message_add"), dedupe_key="AC1:c:x~!60"))
    assert is_refusal(hook, Answer(403))
    assert not is_refusal(hook, Answer(419))
    assert accepted(LIVE_HOOK, Answer(218, "text/plain", b"x"), PUBLIC).response == Response("x", content_type="text/plain")
