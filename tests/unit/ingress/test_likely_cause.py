"""Why genuine webhooks are refused: what the log says about the URL."""

import pytest
from multidict import CIMultiDict

from hookline_ingress.http.request import Request
from hookline_ingress.signatures.likely_cause import likely_cause
from hookline_ingress.signatures.secrets import parse_secrets
from hookline_ingress.signatures.twilio import SIGNATURE, Keyring
from hookline_ingress.translation.webhook import decode
from tests.support.inbound.kinds import message
from tests.support.inbound.webhooks import PUBLIC_URL, TOKEN, Twilio

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
    request = Request("POST", called, CIMultiDict(webhook.headers), webhook.body, "", 0.0)
    decoded = decode(request, webhook.headers[SIGNATURE], 0)
    assert KEYRING.verify(decoded) is None
    return likely_cause(KEYRING, decoded, KEYRING.public_urls, "")


@pytest.mark.parametrize(("signed", "called", "told"), CASES.values(), ids=CASES)
def test_cause(signed: str, called: str, told: str) -> None:
    """What a proxy or a setting does to the URL is named, and the webhook is refused all the same."""
    cause = cause_of(signed, called)
    assert cause is not None
    assert told in cause


def test_other_scheme() -> None:
    """A public URL with the wrong scheme is named."""
    assert cause_of("/in", "/in", PUBLIC_URL.replace("https", "http")) == "Twilio calls http, but PUBLIC_URL has https."


def test_nothing_known() -> None:
    """A signature of another URL, or a forged one, has no cause that is known."""
    assert cause_of("/other", "/in") is None
