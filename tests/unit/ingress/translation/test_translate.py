"""From one request to its events: one of anything, but of a JSON array one for each element."""

from json import dumps
from typing import Any

import pytest
from multidict import CIMultiDict

from hookline_ingress.http.request import Request
from hookline_ingress.translation.translate import TranslatedEvent, translate
from hookline_ingress.translation.webhook import MAX_ELEMENTS, TooManyElementsError, decode, decode_sendgrid
from hookline_shared.catalogue.kind import Kind
from hookline_shared.catalogue.products.email import EMAIL_RECEIVED, SENDGRID_EVENT
from hookline_shared.catalogue.products.streams import EVENT_STREAM, STUDIO, UNKNOWN
from hookline_shared.event import Event
from tests.support.inbound.kinds import ACCOUNT, SENDER, message, unknown
from tests.support.inbound.products import email_event, stream_event
from tests.support.inbound.webhooks import JSON, Twilio, Webhook

TWILIO = Twilio()
RECEIVED_AT, SIGNATURE, SIGNER = 1_750_345_200_611, "signature", "token1"


def translated(webhook: Webhook, expected: Kind | None = None) -> list[TranslatedEvent]:
    headers = CIMultiDict(webhook.headers)
    request = Request(webhook.method, webhook.target, headers, webhook.body, peer="", began=0.0)
    read = decode_sendgrid if expected in (SENDGRID_EVENT, EMAIL_RECEIVED) and not webhook.params else decode
    return translate(read(request, SIGNATURE, RECEIVED_AT), SIGNER, expected)


def events_of(body: bytes, expected: Kind | None = EVENT_STREAM) -> list[Event]:
    return [one.event for one in translated(TWILIO.json(body, "/twilio/events"), expected)]


def test_elements() -> None:
    """Each element is an event with its own kind, keys and bytes, in the array's order; what it shares is the request's."""
    bodies = [
        dumps(stream_event(id="EZ2", source="/calls/1")).encode(),
        dumps(stream_event(id="EZ1", source="/calls/2", data={"body": "café"}), ensure_ascii=False, indent=1).encode(),
        b'{ "specversion":"1.0", "type":"t\\u0065xt", "id":"EZ3", "source":"/calls/1", "n":1e2 }',
    ]
    webhook = TWILIO.json(b" [ " + b" ,\r\n".join(bodies) + b"\n] ", "/twilio/events?tenant=7")
    webhook = webhook.with_header("traceparent", "00-trace")
    events = [one.event for one in translated(webhook, EVENT_STREAM)]
    assert [event.body for event in events] == bodies
    assert [(event.kind, event.key, event.dedupe_key) for event in events] == [
        ("event.stream", ":event.stream:/calls/1", ":event.stream:EZ2"),
        ("event.stream", ":event.stream:/calls/2", ":event.stream:EZ1"),
        ("event.stream", ":event.stream:/calls/1", ":event.stream:EZ3"),
    ]
    assert len({event.id for event in events}) == 3
    shared = {
        (event.received_at, event.signature, event.signer, event.target, event.content_type, event.traceparent)
        for event in events
    }
    assert shared == {(1_750_345_200_611, "signature", "token1", webhook.target, JSON, "00-trace")}


@pytest.mark.parametrize(
    ("expected", "kinds"),
    [
        (None, [EVENT_STREAM, UNKNOWN]),
        (STUDIO, [EVENT_STREAM, UNKNOWN]),
        (EVENT_STREAM, [EVENT_STREAM, UNKNOWN]),
        (SENDGRID_EVENT, [UNKNOWN, SENDGRID_EVENT]),
    ],
)
def test_kind_of_an_array(expected: Kind | None, kinds: list[Kind]) -> None:
    """An element is an event of Event Streams, at SendGrid's path one of SendGrid, or unknown, but never a message."""
    elements = [stream_event(), email_event(), dict(message()), {}]
    found = translated(TWILIO.json(dumps(elements).encode()), expected)
    assert [one.kind for one in found] == [*kinds, UNKNOWN, UNKNOWN]


@pytest.mark.parametrize(("expected", "kind"), [(None, "unknown"), (STUDIO, "studio")])
def test_array_of_something_else(expected: Kind | None, kind: str) -> None:
    """An array that a Studio flow sends is one event of Studio: nothing in it is an event of Event Streams."""
    body = dumps([{"order": 1}, {"order": 2}]).encode()
    (one,) = translated(TWILIO.json(body), expected)
    assert (one.event.kind, one.event.body) == (kind, body)


@pytest.mark.parametrize("expected", [EVENT_STREAM, SENDGRID_EVENT])
def test_empty_body_is_no_event_of_its_route(expected: Kind) -> None:
    """A body without anything in it is unknown, not an event of the path to which it came."""
    (one,) = translated(TWILIO.json(b""), expected)
    assert one.event.kind == "unknown"


def multipart(**fields: str) -> Webhook:
    parts = [f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in fields.items()]
    return TWILIO.json(f"{''.join(parts)}--x--".encode()).with_header("Content-Type", 'multipart/form-data; boundary="x"')


def test_received_email() -> None:
    """Multipart at SendGrid's path is a received e-mail, known by its Message-ID; elsewhere nothing sends multipart."""
    sent = multipart(**{"from": "Zoë <z@a.example>", "to": "b@c.example", "envelope": "{}", "headers": "Message-ID: <1@a>"})
    (one,) = translated(sent, SENDGRID_EVENT)
    assert (one.event.kind, one.event.key) == ("email.received", ":email.received:Zoë <z@a.example>:b@c.example")
    assert one.event.dedupe_key.startswith(":email.received:<1@a>:")
    assert [one.event.kind for one in translated(sent, EMAIL_RECEIVED)] == ["email.received"]
    with pytest.raises(ValueError, match="only SendGrid"):
        translated(sent)
    assert [one.event.kind for one in translated(multipart(event="open"), SENDGRID_EVENT)] == ["unknown"]


def email(headers: str, **fields: str) -> str:
    """Return the dedupe key of an e-mail."""
    sent = {"from": "z@a.example", "to": "b@c.example", "envelope": "{}", "headers": headers, "text": "Hello"} | fields
    (one,) = translated(multipart(**sent), EMAIL_RECEIVED)
    return one.event.dedupe_key


def test_dedupe_key_of_an_email() -> None:
    """The Message-ID is the sender's choice: two e-mails with the same one are told apart by what else they have."""
    headers = "Received: by mx\r\nMessage-ID: <1@a>\r\nSubject: Hello"
    assert email(headers) == email(headers)
    different = [email(headers, **changed) for changed in ({}, {"text": "Bye"}, {"envelope": "[]"}, {"cc": ""}, {"cc": "x"})]
    assert len(set(different)) == len(different)


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ("message-id:<1@a>", "<1@a>:"),
        ("X: y\nMessage-ID:\r\n <1@a>\r\nA: b", "<1@a>:"),
        ("Message-ID:\r\nSubject: Hello", ""),
        ("Message-ID:\r\n\r\nSubject: Hello", ""),
        ("X-Message-ID: <1@a>", ""),
        ("Message-ID: <1:2~@a>", "<1\\:2%7E@a>:"),
    ],
)
def test_message_id(headers: str, found: str) -> None:
    """The Message-ID is in its own header only, which may go on in the next line."""
    assert email(headers).startswith(f":email.received:{found}")
    assert (email(headers).count(":") > 2) is bool(found)


@pytest.mark.parametrize("boundary", ["EVIL", "xx", '"x-"', "x--"])
def test_parts_have_one_boundary(boundary: str) -> None:
    """The content type is not signed: an e-mail that has the parts of another one in its text must not become that."""
    sent = multipart(text='hello\r\n--EVIL\r\nContent-Disposition: form-data; name="from"\r\n\r\nceo@corp.example')
    with pytest.raises(ValueError, match="boundary"):
        translated(sent.with_header("Content-Type", f"multipart/form-data; boundary={boundary}"), SENDGRID_EVENT)


@pytest.mark.parametrize("body", [b"[]", b" [\r\n] "])
def test_empty_array(body: bytes) -> None:
    """Where nothing happened there is no event."""
    assert events_of(body) == []


def test_empty_array_of_a_flow() -> None:
    """What a Studio flow sends is an event, whatever it is."""
    (one,) = translated(TWILIO.json(b"[]", "/twilio/studio"), STUDIO)
    assert (one.event.kind, one.event.body) == ("studio", b"[]")


def test_elements_that_are_no_objects() -> None:
    """An element that is no object is an event by itself, known by its bytes alone, in a lane of its own."""
    odd = [b"1", b"2", b"null", b'"text"', b'[{"id":"EZ1"}]', b"{}"]
    one, *others, last = events_of(b"[%s]" % b",".join([dumps(stream_event(id="EZ1")).encode(), *odd, b'{"id":"EZ2"}']))
    assert [event.body for event in others] == odd
    assert {event.kind for event in others} == {"unknown"}
    assert [event.key for event in others] == [event.dedupe_key for event in others]
    assert len({event.dedupe_key for event in others}) == len(odd)
    assert (one.dedupe_key, last.dedupe_key) == (":event.stream:EZ1", ":event.stream:EZ2")


def test_duplicates_in_one_array() -> None:
    """An id that comes twice in one array has the same dedupe key twice: which of them counts, the writer decides."""
    same, other = stream_event(id="EZ1"), stream_event(id="EZ2")
    keys = [event.dedupe_key for event in events_of(dumps([same, other, same]).encode())]
    assert keys == [f":event.stream:{id_}" for id_ in ("EZ1", "EZ2", "EZ1")]


def test_element_with_an_account() -> None:
    """An account that an element names was not verified, so that it is neither the event's nor in its keys."""
    element = dumps({"AccountSid": ACCOUNT}).encode()
    (event,) = events_of(b"[%s]" % element)
    assert (event.account, event.body) == ("", element)
    assert ACCOUNT not in event.dedupe_key + event.key


def test_elements_without_an_id() -> None:
    """Without an id the content identifies an element, so that equal ones are one event, in whichever request they come."""
    one, other = (email_event(sg_event_id=None, email=f"{name}@example.com") for name in ("zoe", "leo"))
    first, second = (events_of(dumps(elements).encode(), SENDGRID_EVENT) for elements in ([one, other, one], [other]))
    assert first[0].dedupe_key == first[2].dedupe_key != first[1].dedupe_key == second[0].dedupe_key


def test_too_many_elements() -> None:
    """An array of as many elements as may come is taken, and of one more refused as a whole."""
    assert len(events_of(b"[%s]" % b",".join([b"0"] * MAX_ELEMENTS))) == MAX_ELEMENTS
    with pytest.raises(TooManyElementsError):
        events_of(b"[%s]" % b",".join([b"0"] * (MAX_ELEMENTS + 1)))


@pytest.mark.parametrize("form", [True, False], ids=["form", "JSON"])
def test_anything_else_is_one_event(form: bool) -> None:
    """What is no array is one event, with the request's own body and content type."""
    webhook = TWILIO.webhook(message()) if form else TWILIO.json(dumps(dict(message())).encode())
    (one,) = translated(webhook)
    assert (one.event.kind, one.event.account, one.params["From"]) == ("message.received", ACCOUNT, SENDER)
    assert (one.event.body, one.event.content_type) == (webhook.body, webhook.headers["Content-Type"])


@pytest.mark.parametrize("expected", [EVENT_STREAM, SENDGRID_EVENT])
@pytest.mark.parametrize(
    ("params", "kind"), [(message(), "message.received"), (unknown(), "unknown"), ((("a", '[{"id":"EZ1"}]'),), "unknown")]
)
def test_form_is_no_element(expected: Kind, params: Any, kind: str) -> None:
    """A form at a path for JSON is what its parameters tell, and not what only comes as JSON."""
    (one,) = translated(TWILIO.webhook(params), expected)
    assert one.event.kind == kind


def test_signed_text_of_sendgrid_is_claimed_once() -> None:
    """Many signatures are valid for one text, and the target is not signed: neither makes another claim."""
    copies = [TWILIO.json(dumps([email_event()]).encode(), target) for target in ("/sendgrid", "/sendgrid?x")]
    claims = {
        (one.event.signed_text, one.event.claim)
        for copy in copies
        for signature in ("MEUCIQ==", "MEUCIR==")
        for one in translate(
            decode_sendgrid(Request("POST", copy.target, CIMultiDict(copy.headers), copies[0].body, "", 0.0), signature, 1),
            SIGNER,
            SENDGRID_EVENT,
        )
    }
    assert len(claims) == 1
