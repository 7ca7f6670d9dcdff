"""Why genuine webhooks are refused: what the log says about the URL."""

import hmac
from hmac import digest

import pytest
from multidict import CIMultiDict

from hookline_ingress.http.request import Request
from hookline_ingress.signatures import twilio
from hookline_ingress.signatures.likely_cause import likely_cause
from hookline_ingress.signatures.secrets import parse_secrets, parse_shared_keys
from hookline_ingress.signatures.twilio import SIGNATURE, Keyring, signed_params
from hookline_ingress.translation.form_shape import FormShape
from hookline_ingress.translation.webhook import decode
from hookline_shared.parsing.forms import Form
from tests.support.inbound.kinds import message
from tests.support.inbound.webhooks import PUBLIC_URL, TOKEN, Twilio, Webhook

KEYRING = Keyring(parse_secrets([TOKEN]), [PUBLIC_URL])

CASES = {
    "order": ("/in?b=1&a=2&c=3", "/in?a=2&b=1&c=3", "another order"),
    "apostrophe": ("/in?name=O'Hara", "/in?name=O%27Hara", "apostrophe"),
    "escaped apostrophe": ("/in?name=O%27Hara", "/in?name=O'Hara", "apostrophe"),
    "escaped fragment": ("/in", "/in%23rc=3&rp=all", "Write # and not %23"),
    "signed fragment": ("/in#rc=3&rp=all", "/in", "signed the fragment #rc=3&rp=all"),
    "lost slash": ("/in/", "/in", "ends with a slash that is missing"),
    "added slash": ("/in?a=1", "/in/?a=1", "a proxy adds it"),
    "lost question mark": ("/in?", "/in", "lost on the way"),
    "decoded": ("/in?a=%2B1", "/in?a=+1", "encoded again"),
    "spaces": ("/in?a=b+c", "/in?a=b%20c", "encoded again"),
}


def cause_of(signed: str, called: str, base: str = PUBLIC_URL) -> str | None:
    """Return the cause for a webhook that Twilio signed for the target `signed`, and that came to `called`."""
    webhook = Twilio(public_url=base).webhook(message(), signed)
    return cause(KEYRING, webhook, called)


def cause(keyring: Keyring, webhook: Webhook, called: str) -> str | None:
    """Return the cause for `webhook` that came to `called`, where `keyring` refuses it."""
    request = Request("POST", called, CIMultiDict(webhook.headers), webhook.body, "", 0.0)
    decoded = decode(request, webhook.headers[SIGNATURE], 0)
    assert keyring.verify(decoded) is None
    return likely_cause(keyring, decoded, keyring.public_urls, "")


@pytest.mark.parametrize(("signed", "called", "told"), CASES.values(), ids=CASES)
def test_cause(signed: str, called: str, told: str) -> None:
    """What a proxy or a setting does to the URL is named, and the webhook is refused all the same."""
    found = cause_of(signed, called)
    assert found is not None
    assert told in found


def test_other_scheme() -> None:
    """A public URL with the wrong scheme is named."""
    assert cause_of("/in", "/in", PUBLIC_URL.replace("https", "http")) == "Twilio calls http, but PUBLIC_URL has https."


def test_nothing_known() -> None:
    """A signature of another URL, or a forged one, has no cause that is known."""
    assert cause_of("/other", "/in") is None


def test_cause_for_json_and_a_shared_key() -> None:
    """JSON is covered by its hash, and a shared key signs with another algorithm: both are known."""
    json = Twilio().json(b"{}", "/in?b=1&a=2")
    told = cause(KEYRING, json, json.target.replace("b=1&a=2", "a=2&b=1"))
    assert told is not None
    assert "another order" in told
    keyring = Keyring(parse_secrets([TOKEN]), [PUBLIC_URL], parse_shared_keys(["one=secret1"]))
    told = cause(keyring, Twilio("secret1", key_id="one").webhook(message(), "/in/"), "/in")
    assert told is not None
    assert "ends with a slash" in told


FORGED = Twilio("0" * 32)
TOKENS = [f"{number:032}" for number in range(300)]
LARGE = {
    "body": (FORGED.webhook([("Body", "x" * 4096)]), "/in"),
    "target": (FORGED.webhook(message()), f"/in?{'a&' * 2048}"),
    "tokens": (FORGED.webhook(message()), "/in?a=1&b=2&c=3&d=4&e=5"),
    "parameters": (FORGED.webhook([("a", str(number)) for number in range(300)]), f"/in?{'a&' * 500}"),
}


@pytest.mark.parametrize(("forged", "called"), LARGE.values(), ids=LARGE)
def test_cost(monkeypatch: pytest.MonkeyPatch, forged: Webhook, called: str) -> None:
    """A forged request costs a bounded number of signatures, its parameters are sorted once, and a large one costs none."""
    computed: list[int] = []
    sorted_: list[Form] = []

    def counting_digest(key: bytes, text: bytes, hashing: str) -> bytes:
        computed.append(len(text))
        return digest(key, text, hashing)

    def counting_params(form: Form, shape: FormShape) -> bytes | None:
        sorted_.append(form)
        return signed_params(form, shape)

    keyring = Keyring(parse_secrets(TOKENS), [PUBLIC_URL])
    request = Request("POST", called, CIMultiDict(forged.headers), forged.body, "", 0.0)
    webhook = decode(request, forged.headers[SIGNATURE], 0)
    monkeypatch.setattr(hmac, "digest", counting_digest)
    monkeypatch.setattr(twilio, "signed_params", counting_params)
    assert likely_cause(keyring, webhook, keyring.public_urls, "") is None
    assert len(sorted_) <= 1
    assert len(computed) <= 1000
    assert sum(computed) <= 5_000_000
    assert bool(computed) is (len(forged.body) + len(called) <= 4096)
