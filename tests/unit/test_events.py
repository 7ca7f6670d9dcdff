"""The events that handlers get."""

from urllib.parse import urlencode

from processor import MessageReceived, WebhookEvent
from processor.events import typed
from shared.event import Event
from shared.forms import FORM


def event_of(kind: str, params: dict[str, str]) -> WebhookEvent:
    body = urlencode(params).encode()
    event = Event(id="1", kind=kind, key="", dedupe_key="", received_at=0, content_type=FORM, target="/twilio", body=body)
    return typed(event)


def test_fields_have_twilios_names_in_snake_case() -> None:
    """Known parameters are attributes, all of them are in params, and what Twilio did not send is empty."""
    params = {"MessageSid": "SM1", "From": "+1", "To": "+2", "Body": "hi & bye ü", "NumMedia": "2", "New": "x"}
    media = {"MediaUrl0": "u0", "MediaContentType0": "image/png", "MediaUrl1": "u1", "MediaContentType1": "text/vcard"}
    event = event_of("message.received", params | media)
    assert isinstance(event, MessageReceived)
    assert (event.message_sid, event.from_, event.to, event.body) == ("SM1", "+1", "+2", "hi & bye ü")
    assert event.media == [("u0", "image/png"), ("u1", "text/vcard")]
    assert event.profile_name == ""
    assert event.num_segments == 0
    assert event.params == params | media


def test_odd_numbers_are_zero() -> None:
    """A number that Twilio sends in an unforeseen way does not break the handler."""
    event = event_of("message.received", {"NumMedia": "many"})
    assert isinstance(event, MessageReceived)
    assert event.num_media == 0


def test_unknown_kind_is_a_plain_event() -> None:
    """A kind without a class still has its parameters."""
    event = event_of("something.new", {"A": "1"})
    assert type(event) is WebhookEvent
    assert event.params == {"A": "1"}


def test_get_webhook_has_its_query_as_parameters() -> None:
    """Without a body the parameters are those of the query."""
    raw = Event(id="1", kind="x", key="", dedupe_key="", received_at=0, target="/twilio?A=1&B=%2B2", body=b"")
    assert typed(raw).params == {"A": "1", "B": "+2"}


def test_repr_shows_no_personal_data() -> None:
    """An event in a log line or traceback gives nothing away."""
    event = event_of("message.received", {"Body": "secret", "From": "+14155550123"})
    assert repr(event) == "<MessageReceived message.received 1>"
