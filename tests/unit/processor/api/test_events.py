"""The events that handlers get."""

import re
from json import dumps
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from msgspec.structs import replace

import hookline
from hookline import MessageReceived, WebhookEvent
from hookline_processor.events.events import typed
from hookline_shared.catalogue.fields import Json, Number, Text
from hookline_shared.catalogue.kinds import ALL, FAMILIES, SINGLE, label_of
from hookline_shared.event import Event
from hookline_shared.parsing.forms import FORM
from tests.support.inbound.kinds import (
    call,
    call_status,
    live_transcription,
    message_status,
    picture_message,
    recording_status,
    transcription,
    whatsapp_message,
)
from tests.support.inbound.products import (
    debugger,
    delivery_updated,
    document_updated,
    email_event,
    list_item,
    map_item,
    message_added,
    participant_added,
    reservation,
    stream_event,
    stream_message,
    studio,
    task,
    verify,
)
from tests.support.inbound.webhooks import Params
from tests.support.processor.typed_events import JSON, event_of, json_event

ACCOUNT, OTHER = "AC" + "1" * 32, "AC" + "2" * 32


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"accountsid": ACCOUNT, "brandsid": "BN1"}, ACCOUNT),
        ({"AccountSid": "none", "account_sid": ACCOUNT}, ACCOUNT),
        ({"payload": {"account_sid": ACCOUNT}}, ACCOUNT),
        ({"accountSid": ACCOUNT, "payload": {"account_sid": OTHER}}, ACCOUNT),
        ({"payload": [{"account_sid": OTHER}]}, ""),
        ([], ""),
    ],
)
def test_account_of_an_event_stream(data: object, named: str) -> None:
    """The account is found where products put it; that of the secret that verified the event wins."""
    body = dumps(stream_event(data=data)).encode()
    raw = Event(id="1", kind="event.stream", key="", dedupe_key="", received_at=0, content_type=JSON, target="/", body=body)
    assert typed(raw).account_sid == named
    assert typed(replace(raw, account=OTHER)).account_sid == OTHER


def test_fields_have_twilios_names_in_snake_case() -> None:
    """Known parameters are attributes, all of them are in params, and what Twilio did not send is empty."""
    params = {"MessageSid": "SM1", "From": "+1", "To": "+2", "Body": "hi & bye ü", "NumMedia": "2", "New": "x"}
    media = {"MediaUrl0": "u0", "MediaContentType0": "image/png", "MediaUrl1": "u1", "MediaContentType1": "text/vcard"}
    event = event_of("message.received", params | media)
    assert isinstance(event, MessageReceived)
    assert (event.message_sid, event.from_, event.to, event.body) == ("SM1", "+1", "+2", "hi & bye ü")
    assert event.media == [("u0", "image/png"), ("u1", "text/vcard")]
    assert event.profile_name == ""
    assert event.num_segments is None
    assert event.params == params | media


@pytest.mark.parametrize(
    ("sent", "read"), [("0", 0), ("-1", -1), ("many", None), ("", None), ("1.5", None), (" 1", None), ("9" * 5000, None)]
)
def test_odd_numbers_are_none(sent: str, read: int | None) -> None:
    """A number that Twilio sends in an unforeseen way does not break the handler, and is not taken for a number."""
    event = event_of("message.received", {"NumMedia": sent, "MediaUrl0": "u0"})
    assert isinstance(event, MessageReceived)
    assert event.num_media == read
    assert event.media == [("u0", "")]


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


class Row(NamedTuple):
    """The kind of an event, the name of its class, what Twilio sends, and what handlers read."""

    kind: str
    name: str
    sent: Params | dict[str, Any]
    read: dict[str, object]


ROWS = [
    Row("message.received", "MessageReceived", picture_message(MessageSid="MM1"), {"message_sid": "MM1", "num_media": 2}),
    Row("message.received", "MessageReceived", whatsapp_message(), {"button_payload": "confirm", "profile_name": "Zoë"}),
    Row(
        "message.status",
        "MessageStatus",
        message_status("failed", ErrorCode="30003"),
        {"message_status": "failed", "error_code": "30003"},
    ),
    Row("call.received", "CallReceived", call(CallSid="CA1", Digits="5"), {"call_sid": "CA1", "digits": "5"}),
    Row("call.status", "CallStatus", call_status("busy"), {"call_status": "busy", "sequence_number": 3, "call_duration": 12}),
    Row(
        "recording.status",
        "RecordingStatus",
        recording_status("absent"),
        {"recording_status": "absent", "recording_duration": 61},
    ),
    Row(
        "transcription",
        "Transcription",
        transcription(TranscriptionText="hi"),
        {"transcription_text": "hi", "sequence_id": None},
    ),
    Row(
        "transcription",
        "Transcription",
        live_transcription(),
        {"transcription_event": "transcription-content", "sequence_id": 2},
    ),
    Row("conversation.onMessageAdded", "ConversationEvent", message_added(Author="zoe"), {"author": "zoe", "index": 7}),
    Row(
        "conversation.onDeliveryUpdated",
        "ConversationEvent",
        delivery_updated("read"),
        {"status": "read", "event_type": "onDeliveryUpdated"},
    ),
    Row(
        "conversation.onParticipantAdded",
        "ConversationEvent",
        participant_added(ParticipantSid="MB1"),
        {"participant_sid": "MB1", "source": "API"},
    ),
    Row("taskrouter.task.created", "TaskRouterEvent", task(ResourceSid="WT1"), {"task_sid": "WT1", "worker_sid": ""}),
    Row(
        "taskrouter.reservation.created",
        "TaskRouterEvent",
        reservation(ResourceSid="WR1"),
        {"reservation_sid": "WR1", "worker_name": "zoe"},
    ),
    Row(
        "verify.factor.created",
        "VerifyEvent",
        verify(uuid="u1"),
        {"uuid": "u1", "type": "factor.created", "factor_type": "push"},
    ),
    Row(
        "sync.document_updated",
        "SyncEvent",
        document_updated(),
        {"document_revision": "1a", "document_data": '{"soup":"tomato"}'},
    ),
    Row("sync.list_item_added", "SyncEvent", list_item(), {"list_unique_name": "orders", "item_index": "4"}),
    Row("sync.map_item_added", "SyncEvent", map_item(), {"item_key": "terrace", "event_id": "12"}),
    Row("sync.stream_message_published", "SyncEvent", stream_message(), {"stream_sid": "TO" + "b" * 32, "identity": "zoe"}),
    Row("studio", "StudioEvent", studio(ExecutionSid="FN1"), {"execution_sid": "FN1"}),
    Row("debugger.error", "DebuggerEvent", debugger(Sid="NO1"), {"sid": "NO1", "level": "ERROR"}),
    Row(
        "event.stream",
        "StreamEvent",
        stream_event(id="EZ1", data={"n": [1]}),
        {"event_id": "EZ1", "id": "1", "data": {"n": [1]}},
    ),
    Row(
        "sendgrid.event",
        "SendGridEvent",
        email_event("bounce"),
        {"event": "bounce", "timestamp": 1750345200, "email": "zoe@example.com"},
    ),
]


def test_number_is_capped() -> None:
    """A handler may count to it: no more media than a form has parameters."""
    body = b"NumMedia=999999999999&NumSegments=999999999999"
    event = typed(
        Event(id="1", kind="message.received", key="", dedupe_key="", received_at=0, content_type=FORM, target="/", body=body)
    )
    assert isinstance(event, MessageReceived)
    assert (event.num_media, event.num_segments) == (1000, 999999999999)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.kind}-{next(iter(row.read))}")
def test_attributes(row: Row) -> None:
    """Handlers read what was sent, under Twilio's names in snake_case, whether it came as a form, by GET or as JSON."""
    events = [json_event(row.kind, dumps(dict(row.sent)).encode())]
    if isinstance(row.sent, tuple):
        get = Event(id="1", kind=row.kind, key="", dedupe_key="", received_at=0, target=f"/t?{urlencode(row.sent)}", body=b"")
        events += [event_of(row.kind, dict(row.sent)), typed(get)]
    for event in events:
        assert type(event).__name__ == row.name
        assert {name: getattr(event, name) for name in row.read} == row.read


def test_every_class_has_a_row() -> None:
    """Every kind but `unknown` has a class of its own."""
    classes = {event.kind: event.__name__ for event in WebhookEvent.__subclasses__()}
    assert classes.keys() == {*SINGLE, *(f"{family}.*" for family in FAMILIES)} - {"unknown"}
    assert {row.name for row in ROWS} <= set(classes.values())


def test_kinds_of_the_first_version_remain() -> None:
    """An event that version 0.1.0 stored, in Redis or a spool, has the class and the label that it had."""
    singles = ["message.received", "message.status", "call.received", "call.status", "recording.status", "transcription"]
    singles += ["studio", "event.stream", "sendgrid.event", "unknown"]
    families = ["conversation", "taskrouter", "verify", "sync", "debugger"]
    names = {row.kind: row.name for row in ROWS} | {"unknown": "WebhookEvent", "conversation.other": "ConversationEvent"}
    assert {kind.partition(".")[0] for kind in names if kind not in singles} == set(families)
    assert {kind: type(event_of(kind, {})).__name__ for kind in names} == names
    assert [label_of(kind) for kind in singles] == singles
    assert [label_of(f"{family}.new") for family in families] == [f"{family}.*" for family in families]


def test_attributes_have_twilios_names_in_snake_case() -> None:
    """No attribute reads a parameter of another name, but for names that every event has: a CloudEvent's `id`, and `query`."""
    classes: list[type[WebhookEvent]] = [WebhookEvent, *WebhookEvent.__subclasses__()]
    for event in classes:
        read = {name: field._name for name, field in vars(event).items() if isinstance(field, Text | Number | Json)}
        spelled = {name: re.sub("(?<=[a-z])(?=[A-Z])", "_", parameter).lower() for name, parameter in read.items()}
        plain = {name: spelling.replace("-", "_") for name, spelling in spelled.items()}
        odd = {name: spelling for name, spelling in plain.items() if spelling != name.removesuffix("_json").rstrip("_")}
        known = {"StreamEvent": {"event_id": "id"}, "FrontlineRequest": {"query_text": "query"}}
        assert odd == known.get(event.__name__, {})


def test_documented_attributes_exist() -> None:
    """docs/handlers.md names every class, and no attribute that there is not."""
    rows = re.findall(
        r"^\| `.*\| `(\w+)` \|(.*)\|$", (Path(__file__).parents[4] / "docs/handlers.md").read_text(), re.MULTILINE
    )
    assert {name for name, _ in rows} == {kind.event.__name__ for kind in ALL}
    for name, described in rows:
        attributes = re.findall(r"`([a-z_]+)`", described)
        assert [attribute for attribute in attributes if not hasattr(getattr(hookline, name), attribute)] == []
