"""The request that an app gets, judged by Twilio's own validator."""

from hashlib import sha256
from urllib.parse import parse_qsl

import pytest
from msgspec.structs import replace
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from hookline_processor.forward.request import UnsignableError, idempotency_token, public_url_of, request_to
from hookline_processor.forward.tokens import Tokens
from hookline_shared.event import Event
from hookline_shared.forwards import Forward
from tests.support.processor.conversations import incoming

TOKEN = "a" * 32
PUBLIC = ["https://hooks.example.com", "https://other.example.com/base"]


def message(target: str = "/app/sms?a=%2F", **params: str) -> Event:
    return replace(incoming("höi & ho", "key", **params), target=target)


def accepts(url: str, event: Event, signature: str, body: bytes | None = None) -> bool:
    """Whether Twilio's validator accepts a request, as an app would ask it."""
    validator = RequestValidator(TOKEN)
    if event.content_type == "application/json":
        return bool(validator.validate(url, (body or event.body).decode(), signature))
    return bool(validator.validate(url, MultiDict(parse_qsl(event.body.decode(), keep_blank_values=True)), signature))


APP = Forward(path="/app", url="http://localhost:3000/x")


def test_validator_accepts_the_url_of_the_app() -> None:
    """As if Twilio had called that URL itself; empty and repeated parameters count."""
    event = message(Empty="")
    event = replace(event, body=event.body + b"&Digits=2&Digits=1&Digits=1")
    request = request_to(APP, event, TOKEN, PUBLIC)
    assert request.url == "http://localhost:3000/x/sms?a=%2F"
    assert (request.method, request.body) == ("POST", event.body)
    assert accepts(request.url, event, request.headers["X-Twilio-Signature"])
    assert not accepts("https://hooks.example.com/app/sms?a=%2F", event, request.headers["X-Twilio-Signature"])
    assert request.headers["X-Forwarded-Host"] == "localhost:3000"
    assert request.headers["X-Forwarded-Proto"] == "http"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_get_has_its_parameters_in_the_url() -> None:
    """Nothing else is signed."""
    event = replace(message("/app?Body=a+b&From=%2B1"), body=b"", method="GET", content_type="")
    request = request_to(APP, event, TOKEN, PUBLIC)
    assert request.method == "GET"
    assert "Content-Type" not in request.headers
    assert RequestValidator(TOKEN).validate(request.url, {}, request.headers["X-Twilio-Signature"])


def test_json_keeps_its_hash() -> None:
    """An app that checks bodySHA256 gets the same body and the same hash."""
    body = b'{"a": 1}'
    target = f"/app?bodySHA256={sha256(body).hexdigest()}"
    event = replace(message(target), body=body, content_type="application/json")
    request = request_to(APP, event, TOKEN, PUBLIC)
    assert request.url == f"http://localhost:3000/x?bodySHA256={sha256(body).hexdigest()}"
    assert accepts(request.url, event, request.headers["X-Twilio-Signature"])


def test_element_comes_as_an_array_of_one() -> None:
    """Its event has a part of the body, and the hash in the URL is that of the whole."""
    whole = b'[{"id":1},{"id":2}]'
    target = f"/app?bodySHA256={sha256(whole).hexdigest()}"
    event = replace(message(target), body=b'{"id":1}', content_type="application/json")
    request = request_to(APP, event, TOKEN, PUBLIC)
    assert request.body == b'[{"id":1}]'
    assert accepts(request.url, event, request.headers["X-Twilio-Signature"], request.body)


def test_original_signature() -> None:
    """It is passed on with the public URL that Twilio called, which its signature tells."""
    public = PUBLIC[1] + "/app/sms?a=%2F"
    event = message()
    params = MultiDict(parse_qsl(event.body.decode(), keep_blank_values=True))
    event = replace(event, signature=RequestValidator(TOKEN).compute_signature(public, params))
    request = request_to(Forward(path="/app", url="http://a", sign="original"), event, TOKEN, PUBLIC)
    assert request.headers["X-Twilio-Signature"] == event.signature
    assert request.headers["X-Forwarded-Host"] == "other.example.com"
    assert request.headers["X-Forwarded-Proto"] == "https"
    assert public_url_of(event, TOKEN, PUBLIC) == public


def test_without_token() -> None:
    """The error says for which account, and what to do."""
    with pytest.raises(UnsignableError, match=r"account AC1.*TWILIO_AUTH_TOKEN"):
        request_to(APP, message(), None, PUBLIC)


def test_idempotency_token_is_the_same_in_every_attempt() -> None:
    """Twilio's own, where it is known; otherwise one that is made of what identifies the event."""
    event = message()
    assert idempotency_token(event) == idempotency_token(replace(event, id="another", received_at=1))
    assert idempotency_token(event) != idempotency_token(message())
    assert idempotency_token(replace(event, dedupe_key="AC:unknown:hash~abc-1")) == "abc-1"


def test_token_of_an_account() -> None:
    """Its own, otherwise that of all accounts; during a rotation the one that Twilio used."""
    one = "AC" + "1" * 32
    tokens = Tokens(["old", "new", f"{one.upper()}=own", f"{one}=next"], None)
    assert tokens.token_of(one, "") == "own"
    assert tokens.token_of(one, "token4") == "next"
    assert tokens.token_of("AC2", "") == "old"
    assert tokens.token_of("AC2", "token2") == "new"
    assert tokens.token_of("AC2", "key1") == "old"
    assert Tokens([f"{one}=own"], None).token_of("AC2", "token1") is None
    assert Tokens([f"{one}=own"], None).token_of("AC2", "token9") is None
