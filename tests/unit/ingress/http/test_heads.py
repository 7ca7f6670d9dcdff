"""Heads: where one ends, and that the parser and the connection never disagree about it."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline_ingress.http.heads import LARGEST_HEAD, HeadParser, find_end, skip_empty_lines
from hookline_ingress.http.request import UnreadableError

PLAIN = b"POST /twilio HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n"


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Yield a loop, which parsers ask for and do not use."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def head(*lines: str) -> bytes:
    """Return a head with a host and `lines`."""
    return "\r\n".join(["POST /twilio HTTP/1.1", "Host: h", *lines, "", ""]).encode()


def test_one_parser_reads_head_after_head(loop: asyncio.AbstractEventLoop) -> None:
    """A body that the parser never saw does not hinder it from reading the next head."""
    parser = HeadParser(loop)
    for data, length in ((PLAIN, 7), (head(), 0), (head("Transfer-Encoding: chunked"), None), (PLAIN, 7)):
        found = parser.parse(data)
        assert (found.method, found.target, found.length, found.keep_open) == ("POST", "/twilio", length, True)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(PLAIN + PLAIN, id="two heads"),
        pytest.param(PLAIN[:-2], id="no end"),
        pytest.param(b"POST /twilio HTTP/1.1\nHost: h\n\n", id="lines end with LF"),
        pytest.param(head("X: y\rZ: q"), id="CR in a value"),
        pytest.param(head("X: y\0"), id="NUL in a value"),
        pytest.param(head("X : y"), id="space before the colon"),
        pytest.param(head("X: y", " folded"), id="folded line"),
        pytest.param(head()[:-2] + b"\rX: y\r\n\r\n", id="CR for the empty line"),
        pytest.param(head("Host: other"), id="two hosts"),
        pytest.param(b"POST /twilio HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(head("Content-Length: 3", "Content-Length: 3"), id="two lengths"),
        pytest.param(head("Content-Length: 3", "Transfer-Encoding: chunked"), id="length and chunks"),
        pytest.param(head("Transfer-Encoding: chunked", "Content-Length: 3"), id="chunks and length"),
        pytest.param(head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), id="twice in chunks"),
        pytest.param(head("Transfer-Encoding: identity"), id="identity"),
        pytest.param(head("Transfer-Encoding: chunked, gzip"), id="chunked is not the last"),
        pytest.param(head("Transfer-Encoding: gzip, chunked"), id="compressed chunks"),
        pytest.param(head("Transfer-Encoding: xchunked"), id="xchunked"),
        pytest.param(head("Transfer-Encoding: chun\u212aed"), id="Kelvin sign"),
        pytest.param(head("Content-Length: +3"), id="sign"),
        pytest.param(head("Content-Length: 3, 3"), id="list of lengths"),
        pytest.param(head("Content-Length: ٣"), id="a digit that is not ASCII"),
        pytest.param(head("Content-Length: 0x3"), id="0x"),
        pytest.param(head("Content-Length: 1_0"), id="underscore"),
        pytest.param(head(f"Content-Length: {2**64}"), id="more than 64 bits"),
        pytest.param(head("Content-Length:"), id="empty length"),
        pytest.param(head(*[f"X{number}: y" for number in range(200)]), id="200 lines"),
        pytest.param(head("X: " + "y" * 9000), id="long line"),
        pytest.param(b"GET /twilio\r\n\r\n", id="HTTP/0.9"),
        pytest.param(b"GET /twilio HTTP/2.0\r\nHost: h\r\n\r\n", id="HTTP/2.0"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\n", id="HTTP/2"),
    ],
)
def test_what_is_no_head(loop: asyncio.AbstractEventLoop, data: bytes) -> None:
    """What can be read in two ways, or is not HTTP/1, is refused."""
    with pytest.raises(UnreadableError) as refused:
        HeadParser(loop).parse(data)
    assert (refused.value.status, refused.value.outcome) == (400, "malformed")


@pytest.mark.parametrize(
    "line", ["Upgrade: websocket\r\nConnection: upgrade", "Upgrade: h2c\r\nConnection: upgrade", "Connection: close"]
)
def test_last_request_of_a_connection(loop: asyncio.AbstractEventLoop, line: str) -> None:
    """After a request to change the protocol, nothing more is read; its body is, as that of any other."""
    found = HeadParser(loop).parse(head(line, "Content-Length: 3"))
    assert (found.length, found.keep_open) == (3, False)


@given(st.binary(max_size=80))
def test_parser_agrees_with_the_end(loop: asyncio.AbstractEventLoop, junk: bytes) -> None:
    """Bytes behind the first empty line are never read as a part of the head, nor does the parser end before it."""
    data = b"GET /twilio?" + junk + b" HTTP/1.1\r\nHost: h\r\n\r\n"
    end = find_end(data, 0)
    try:
        found = HeadParser(loop).parse(data[:end])
    except UnreadableError:
        return
    assert end == len(data)
    assert found.headers["Host"] == "h"


def test_end_is_found_behind_empty_lines() -> None:
    """Empty lines before a request are no part of it."""
    data = b"\r\n\r\n" + PLAIN + b"body"
    assert skip_empty_lines(data, 0) == 4
    assert find_end(data, 4) == 4 + len(PLAIN)
    assert skip_empty_lines(b"\r\n\r\n", 0) == 4


@pytest.mark.parametrize("data", [b"P", b"POST", b"POST /", b"M-SEARCH * H", PLAIN[:-1]])
def test_beginning_of_a_head(data: bytes) -> None:
    """What may become a head is waited for."""
    assert find_end(data, 0) == 0


@pytest.mark.parametrize("data", [b"\x16\x03\x01", b"\0", b"post / HTTP", b"{", b"X" * 40])
def test_nothing_of_a_head(data: bytes) -> None:
    """What will never become one is not."""
    with pytest.raises(UnreadableError) as refused:
        find_end(data, 0)
    assert refused.value.status == 400


def test_large_head_is_refused() -> None:
    """A head without end costs no more than the largest one."""
    begun = b"POST / HTTP/1.1\r\n" + b"X: y\r\n" * LARGEST_HEAD
    assert find_end(begun[: LARGEST_HEAD - 1], 0) == 0
    with pytest.raises(UnreadableError) as refused:
        find_end(begun[:LARGEST_HEAD], 0)
    assert refused.value.status == 431
