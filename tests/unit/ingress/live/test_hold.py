"""Hold: a call comes back with all that any ingress needs."""

from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from multidict import CIMultiDict

from hookline_ingress.http.request import Request
from hookline_ingress.live.hold_twiml import Hold, bases_called, hold_in, hold_reply, without_hold
from hookline_shared.live import Place

HOLD = Hold(Place(3, "A" * 21 + "-"), 1_750_000_000_000)


def request(target: str, body: bytes = b"CallSid=CA1", method: str = "POST") -> Request:
    return Request(method, target, CIMultiDict(), body, "", 0)


@pytest.mark.parametrize("target", ["/voice", "/voice?lang=de", "/voice?a=1&b=%26hookline%3D1", "/voice?CallSid=CA1&Digits=1"])
def test_call_comes_back(target: str) -> None:
    """To the URL that Twilio called, with one parameter more, and overrides that make Twilio try again.

    The digits of a GET are in that URL, and no new step.
    """
    reply = hold_reply(HOLD, "https://hooks.example.com", target)
    pause, redirect = ElementTree.fromstring(reply.body)
    assert (pause.tag, redirect.tag, redirect.get("method")) == ("Pause", "Redirect", "POST")
    url = urlsplit(redirect.text or "")
    assert url.fragment == "rc=3&rp=all"
    back = f"{url.path}?{url.query}"
    assert hold_in(request(back)) == HOLD
    assert without_hold(back) == target


@pytest.mark.parametrize(
    "target",
    [
        "/voice?hookline=1&x=2",
        "/voice",
        f"/voice?hookline={HOLD.value}x",
        f"/voice?nothookline={HOLD.value}",
    ],
)
def test_other_parameters_are_no_hold(target: str) -> None:
    """They are the app's own."""
    assert hold_in(request(target)) is None
    assert without_hold(target) == target


@pytest.mark.parametrize("step", [b"CallSid=CA1&Digits=1", b"Digits=", b"CallSid=CA1&RecordingSid=RE1", b"SpeechResult=a"])
def test_step_with_an_old_hold_is_a_step(step: bytes) -> None:
    """`<Gather>` without an action goes to the URL of its document, wherever Twilio puts its parameters."""
    assert hold_in(request(f"/voice?hookline={HOLD.value}", step)) is None
    assert hold_in(request(f"/voice?hookline={HOLD.value}&{step.decode()}", b"", "GET")) is None


def test_order_of_parameters_does_not_matter() -> None:
    """Twilio may put its own before or behind."""
    for target in (f"/voice?hookline={HOLD.value}&a=1", f"/voice?a=1&hookline={HOLD.value}"):
        assert hold_in(request(target)) == HOLD
        assert without_hold(target) == "/voice?a=1"


def test_bases_that_may_have_been_called() -> None:
    """Of several public URLs, that with the host of the request comes first, and that of a proxy last."""
    urls = ["https://a.example.com", "https://b.example.com/base"]
    assert bases_called("", "B.example.com", urls) == urls[::-1]
    assert bases_called("", "127.0.0.1:8080", urls) == urls
    assert bases_called("https://b.example.com", "127.0.0.1", urls) == [*urls[::-1], "https://b.example.com"]
    assert bases_called("https://a.example.com", "127.0.0.1", urls[:1]) == urls[:1]
