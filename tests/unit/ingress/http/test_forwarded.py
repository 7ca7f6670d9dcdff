"""What is believed of a client that proxies speak for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from hookline_ingress.http.proxies import Proxies, parse_networks
from hookline_ingress.http.request import Request
from hookline_ingress.signatures.secrets import parse_secrets
from hookline_ingress.signatures.twilio import SIGNATURE, Keyring
from tests.support.inbound.decoded import decoded_form
from tests.support.inbound.webhooks import TOKEN, sign

PROXY, INNER, STRANGER, CLIENT = "10.0.0.1", "10.0.0.2", "203.0.113.9", "198.51.100.7"
PROXIES = Proxies(parse_networks(["10.0.0.0/8", "fd00::/8"]))
KEYRING = Keyring(parse_secrets([TOKEN]), ["https://hooks.example.com"])

headers = st.lists(
    st.tuples(
        st.sampled_from(["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"]),
        st.text(max_size=20)
        | st.text("[]:.,%/@?#10af \udcff", max_size=12)
        | st.sampled_from(["https", PROXY, CLIENT, "h:99999"]),
    ),
    max_size=5,
)


def called(peer: str, *headers: tuple[str, str]) -> Request:
    return Request("POST", "/twilio", CIMultiDict(headers), b"", peer, 0.0)


@pytest.mark.parametrize(
    ("hops", "client"),
    [
        ([], PROXY),
        ([""], PROXY),
        ([CLIENT], CLIENT),
        ([f"{CLIENT}, {INNER}"], CLIENT),
        ([f"{STRANGER}, {CLIENT}, {INNER}"], CLIENT),
        ([STRANGER, CLIENT], CLIENT),  # as HAProxy does: a header of its own behind that of the client
        ([f"{STRANGER},{CLIENT}", INNER], CLIENT),
        ([INNER], INNER),
        ([f"{CLIENT}:51234"], CLIENT),
        (["2001:db8::1"], "2001:db8::1"),
        (["[2001:DB8:0::1]:443, fd00::5"], "2001:db8::1"),
        (["fe80::1%eth0"], "fe80::1"),
        ([f"::ffff:{CLIENT}"], CLIENT),
        ([f"{CLIENT}, unknown"], PROXY),
        ([f"{CLIENT}, unknown, {INNER}"], INNER),
        ([f"{CLIENT}, 1.2.3"], PROXY),
        ([f"{CLIENT}, \udcff"], PROXY),
        ([f"{CLIENT},"], PROXY),
    ],
)
def test_client_is_the_last_that_no_trusted_proxy_is(hops: list[str], client: str) -> None:
    """Whatever a client says of itself stands before what the proxies add, and is not believed; garbage ends the search."""
    told = [("X-Forwarded-For", hop) for hop in hops]
    assert PROXIES.client(called(PROXY, *told)) == client
    assert PROXIES.client(called(f"::ffff:{PROXY}", *told)) == client.replace(PROXY, f"::ffff:{PROXY}"), "on a socket of both"
    assert PROXIES.client(called(STRANGER, *told)) == STRANGER, "who is no proxy is not believed"
    assert Proxies(()).client(called(PROXY, *told)) == PROXY, "nor is anybody where there are none"


@pytest.mark.parametrize(
    ("scheme", "host", "base"),
    [
        ("https", "hooks.example.com", "https://hooks.example.com"),
        ("HTTPS", "Hooks.Example.com:8443", "https://Hooks.Example.com:8443"),
        ("https, http", "hooks.example.com, inner:8080", "https://hooks.example.com"),
        ("https", "[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("", "hooks.example.com", ""),
        ("https", "", ""),
        ("ftp", "hooks.example.com", ""),
        *(
            ("https", odd, "")
            for odd in ["h:", "h:0", "h:port", "h:99999", "[::1", "[::::]", "user@h", "h/in", "h?a", "h#a", "ü", "\udcff"]
        ),
    ],
)
def test_base_url_is_what_the_outermost_proxy_was_called_with(scheme: str, host: str, base: str) -> None:
    """It is believed of a trusted proxy alone, and only if it is a scheme and a host; their case is Twilio's to choose."""
    told = ("X-Forwarded-Proto", scheme), ("X-Forwarded-Host", host)
    assert PROXIES.base(called(PROXY, *told)) == base
    assert PROXIES.base(called("fd00::1", *told)) == base
    assert PROXIES.base(called(STRANGER, *told)) == ""
    assert Proxies(()).base(called(PROXY, *told)) == ""


@given(headers)
def test_any_headers(told: list[tuple[str, str]]) -> None:
    """Whatever a proxy lets through, there is an address that can be counted, and a base URL that can be verified with."""
    request = called(PROXY, *told)
    assert PROXIES.client(request).isascii()
    base = PROXIES.base(request)
    signature = sign(TOKEN, f"{base}/twilio", ())
    assert (KEYRING.verify(decoded_form((), "/twilio", {SIGNATURE: signature}), base) is not None) is bool(base)
