"""Sending a webhook again: as a new event, validly signed."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

import pytest
from twilio.request_validator import RequestValidator

from hookline_cli.dev.again import NotAgainError, again
from hookline_shared.event import Event
from tests.support.inbound.kinds import call_status, message, message_status
from tests.unit.cli.dev.events import event_of

TOKEN = "0123456789abcdef0123456789abcdef"
BASE = "https://hooks.example.com"


def params_again(event: Event) -> Mapping[str, str]:
    """Return the parameters of the request that is sent, whose signature must be valid."""
    made = again(event, BASE, TOKEN)
    params = dict(parse_qsl(made.body.decode(), keep_blank_values=True))
    assert RequestValidator(TOKEN).validate(made.url, params, made.headers["X-Twilio-Signature"])
    return params


def test_message_has_a_new_sid() -> None:
    """Everything else is as it was."""
    event = event_of(message(Body="a & b = ü"), "message.received")
    old, new = dict(parse_qsl(event.body.decode(), keep_blank_values=True)), params_again(event)
    assert new["MessageSid"] != old["MessageSid"]
    assert new["MessageSid"].startswith("SM")
    assert {name: value for name, value in new.items() if not name.endswith("Sid")} == {
        name: value for name, value in old.items() if not name.endswith("Sid")
    }
    assert new["AccountSid"] == old["AccountSid"]


@pytest.mark.parametrize(("params", "kind"), [(message_status(), "message.status"), (call_status(), "call.status")])
def test_others_are_new_events_too(params: object, kind: str) -> None:
    """A status of another message or call."""
    event = event_of(params, kind)
    name = "MessageSid" if "message" in kind else "CallSid"
    assert params_again(event)[name] != dict(parse_qsl(event.body.decode(), keep_blank_values=True))[name]


def test_query_stays() -> None:
    """The hash of a body in it does not: that is made anew."""
    event = event_of(message(), "message.received", target="/twilio/in?shop=1")
    assert urlsplit(again(event, BASE, TOKEN).url).query == "shop=1"


def test_json_is_signed_by_its_hash() -> None:
    """The URL has the hash of the body, and is what is signed."""
    body = b'{"AccountSid": "AC1", "Level": "ERROR"}'
    event = event_of(body, "debugger.event", target="/twilio?bodySHA256=old")
    made = again(event, BASE, TOKEN)
    assert "bodySHA256=old" not in made.url
    assert RequestValidator(TOKEN).validate(made.url, body.decode(), made.headers["X-Twilio-Signature"])


def test_what_only_sendgrid_can_sign() -> None:
    """It is refused with a reason."""
    event = event_of(b"[]", "email.delivered", signer="sendgrid1")
    with pytest.raises(NotAgainError, match="SendGrid"):
        again(event, BASE, TOKEN)
