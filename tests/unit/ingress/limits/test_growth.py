"""The time for what is done with a request before it is verified grows with its length only, whatever is in it."""

from ipaddress import ip_network

import pytest
from multidict import CIMultiDict

from hookline_ingress.http.proxies import Proxies
from hookline_ingress.http.request import Request
from hookline_ingress.signatures.secrets import parse_secrets
from hookline_ingress.signatures.twilio import SETTINGS, Keyring
from hookline_ingress.translation.translate import translate
from hookline_ingress.translation.webhook import Webhook, decode, decode_sendgrid
from hookline_shared.catalogue.products.email import EMAIL_RECEIVED
from tests.support.inbound.webhooks import FORM, JSON, PUBLIC_URL, TOKEN
from tests.support.time.growth import LINEAR, growth

SIZE = 1 << 14
MULTIPART = "multipart/form-data; boundary=x"
PIECES = {
    "form of one name": (FORM, b"a" * 8),
    "form of escapes": (FORM, b"%41%"),
    "form of separators": (FORM, b"&"),
    "form of equals": (FORM, b"="),
    "form of plus": (FORM, b"+ "),
    "JSON arrays": (JSON, b"["),
    "JSON objects": (JSON, b'{"AccountSid":'),
    "JSON text": (JSON, b'"\\u00e4'),
    "JSON elements": (JSON, b"0,"),
    "multipart dispositions": (MULTIPART, b"content-disposition:form-data;"),
    "multipart parts": (MULTIPART, b"\r\n--x\r\n"),
}


def request(content_type: str, body: bytes, target: str = "/twilio", **headers: str) -> Request:
    named = CIMultiDict({"Content-Type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}})
    return Request("POST", target, named, body, "127.0.0.1", 0.0)


def refuse(sent: Request) -> None:
    """Do what ingress does with a request whose signature is wrong."""
    try:
        webhook = (decode_sendgrid if sent.headers["Content-Type"] == MULTIPART else decode)(sent, "signature", 0)
    except ValueError:
        return
    assert Keyring(parse_secrets([TOKEN]), [PUBLIC_URL]).verify(webhook) is None


@pytest.mark.parametrize(("content_type", "piece"), PIECES.values(), ids=PIECES)
def test_bodies(content_type: str, piece: bytes) -> None:
    """Eight times the body takes some eight times as long."""
    begin = b"--x\r\n" if content_type == MULTIPART else b""
    assert growth(refuse, lambda size: request(content_type, begin + piece * (size // len(piece))), SIZE) < LINEAR


@pytest.mark.parametrize("piece", ["a", "&", "=", "%", "%41", "?", ";", "bodySHA256=", "a=b&"])
def test_targets(piece: str) -> None:
    """The same is true of a path and query."""
    for content_type in (FORM, JSON):
        assert growth(refuse, lambda size: request(content_type, b"", "/in?" + piece * (size // len(piece))), 4096) < LINEAR  # noqa: B023


@pytest.mark.parametrize("piece", [",", "key=", "key=a,", "127.0.0.1,", "127.0.0.1, ", "[", ":", "a.", "-", "."])
def test_headers(piece: str) -> None:
    """The same is true of the headers that are read before: those of a proxy, and the one that names a key."""
    proxies = Proxies((ip_network("127.0.0.0/8"),))

    def read(value: str) -> None:
        sent = request(FORM, b"", X_Forwarded_For=value, X_Forwarded_Proto="https", X_Forwarded_Host=value)
        proxies.client(sent)
        proxies.base(sent)
        refuse(request(FORM, b"a=b", **{SETTINGS: value}))

    assert growth(read, lambda size: piece * (size // len(piece)), 4096) < LINEAR


@pytest.mark.parametrize("piece", [b"message-id:", b"message-id:\r\n", b"message-id:\r\n ", b"\r\n ", b"message-id: \t"])
def test_header_of_an_email(piece: bytes) -> None:
    """Whoever writes an e-mail chooses its headers, and SendGrid signs them: they are read in linear time, too."""

    def sent(size: int) -> Webhook:
        fields = {b"from": b"a", b"to": b"b", b"envelope": b"{}", b"headers": piece * (size // len(piece))}
        parts = (b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % field for field in fields.items())
        return decode_sendgrid(request(MULTIPART, b"".join(parts)), "signature", 0)

    assert growth(lambda webhook: translate(webhook, "sendgrid1", EMAIL_RECEIVED), sent, SIZE) < LINEAR
