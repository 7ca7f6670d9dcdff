"""Sending a webhook again: as a new event, validly signed."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

import pytest
from multidict import CIMultiDict
from twilio.request_validator import RequestValidator

from hookline_cli.dev.again import NotAgainError, again
from hookline_cli.signing import WebhookRequest, sign_query, sign_webhook
from hookline_ingress.http.request import Request
from hookline_ingress.translation.translate import translate
from hookline_ingress.translation.webhook import decode
from hookline_processor.samples.webhook import sample
from hookline_shared.catalogue.kind import Kind
from hookline_shared.catalogue.kinds import SINGLE, kind_of
from hookline_shared.event import Event
from hookline_shared.parsing.forms import FORM
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


def events_of(made: WebhookRequest, expected: Kind | None) -> list[Event]:
    """Return the events that ingress makes of a request."""
    request = Request(made.method, made.url.removeprefix(BASE), CIMultiDict(made.headers), made.body, peer="", began=0.0)
    return [one.event for one in translate(decode(request, "signature", 1_750_345_200_611), "token1", expected)]


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_every_kind_is_a_new_event(method: str) -> None:
    """Of the same kind and account, whatever identifies it: SIDs, a UUID or its content."""
    single = [name for name in SINGLE if not name.startswith(("email.", "sendgrid."))]
    for name in [
        *single,
        "conversation.onMessageAdd",
        "conversation.onMessageAdded",
        "verify.approved",
        "sync.document.created",
    ]:
        webhook = sample(name, {})
        made = sign_webhook(f"{BASE}/twilio", webhook, TOKEN)
        if method == "GET" and made.headers["Content-Type"].startswith(FORM):
            made = sign_query(f"{BASE}/twilio?{made.body.decode()}", TOKEN)
        (event,) = events_of(made, kind_of(name))
        (new,) = events_of(again(event, BASE, TOKEN), kind_of(name))
        assert (new.kind, new.account) == (event.kind, event.account)
        assert new.dedupe_key != event.dedupe_key, name


def test_what_would_be_a_duplicate() -> None:
    """It is refused: ingress would accept it, and nothing would happen."""
    with pytest.raises(NotAgainError, match="identified by a-name-of-mine"):
        again(event_of([("uuid", "a-name-of-mine"), ("type", "approved")], "verify.approved"), BASE, TOKEN)


def test_what_only_sendgrid_can_sign() -> None:
    """It is refused with a reason."""
    event = event_of(b"[]", "email.delivered", signer="sendgrid1")
    with pytest.raises(NotAgainError, match="SendGrid"):
        again(event, BASE, TOKEN)
