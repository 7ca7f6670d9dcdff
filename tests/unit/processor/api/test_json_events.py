"""What handlers read of JSON."""

from collections.abc import Callable
from json import dumps

import pytest

from hookline import StreamEvent
from hookline_shared.catalogue.webhook_event import WebhookEvent
from tests.support.processor.typed_events import event_of, json_event


@pytest.mark.parametrize(
    ("body", "json", "params"),
    [
        (
            b'{"a":"x","b":1,"c":{"d":null},"e":null}',
            {"a": "x", "b": 1, "c": {"d": None}, "e": None},
            {"a": "x", "b": "1", "c": '{"d":null}'},
        ),
        (b'[{"a":"x"}]', [{"a": "x"}], {}),
        (b"no JSON", None, {}),
        (b"\xff", None, {}),
    ],
)
def test_json(body: bytes, json: object, params: dict[str, str]) -> None:
    """`json` is the body, decoded; `params` are the members of an object, text as it is and else as JSON, without nulls."""
    event = json_event("unknown", body, "/twilio?bodySHA256=0")
    assert (event.json, event.params) == (json, params)


@pytest.mark.parametrize("body", [b"[]", b"1", b"{}", b"no JSON"])
def test_stream_event_without_data(body: bytes) -> None:
    """Whatever an element of Event Streams is, it can be read."""
    event = json_event("event.stream", body)
    assert isinstance(event, StreamEvent)
    assert (event.data, event.event_id) == (None, "")


def test_form_has_no_json() -> None:
    """A form is not taken for JSON, although it may be some."""
    assert event_of("unknown", {"1": ""}).json is None


def test_personal_values_of_json() -> None:
    """Texts at any depth stay out of logs, as they are and as JSON spells them; identifiers do not."""
    nested = {"sg_event_id": "e1", "email": "zoe@example.com", "data": [{"body": 'say "hi"', "messageSid": "SM1", "n": 5}]}
    values = json_event("event.stream", dumps(nested).encode()).personal
    assert {"zoe@example.com", 'say "hi"', 'say \\"hi\\"'} <= set(values)
    assert {"e1", "SM1"}.isdisjoint(values)


@pytest.mark.parametrize(
    "made", [event_of, lambda kind, params: json_event(kind, dumps(params).encode())], ids=["form", "JSON"]
)
def test_personal_values_in_a_parameter_that_is_json(made: Callable[[str, dict[str, str]], WebhookEvent]) -> None:
    """A handler that decodes a parameter and fails does not give away what was in it, at whatever depth of JSON in JSON."""
    attributes = dumps({"name": "Zoë", "call_sid": "CA1", "languages": ["Français"], "more": dumps({"street": "High Street"})})
    values = made("taskrouter.task.created", {"TaskAttributes": attributes, "Body": "[not JSON"}).personal
    assert {"Zoë", "Français", "High Street", "[not JSON", attributes} <= set(values)
    assert "CA1" not in values
