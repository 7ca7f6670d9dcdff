"""Heads: where one ends, and that the parser and the connection never disagree about it."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from hookline_ingress.http.heads import LARGEST_HEAD, HeadParser, find_end, searched_in, skip_empty_lines
from hookline_ingress.http.request import UnreadableError

PLAIN = b"POST /twilio HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n"


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Yield a loop, which parsers ask for and do not use."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


class Counted(bytes):
    """Bytes that count how often one of them is looked at, and note from where they are searched."""

    steps = 0

    def __init__(self, _data: bytes) -> None:
        self.searched: list[int] = []

    def __getitem__(self, index: Any) -> Any:
        self.steps += 1
        return super().__getitem__(index)

    def find(self, sub: Any, *bounds: Any) -> int:
        self.searched.append(bounds[0])
        return super().find(sub, *bounds)


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
        pytest.param(b"GET /twilio\r\n\r\n", id="HTTP/0.9"),
        pytest.param(b"GET /twilio HTTP/2.0\r\nHost: h\r\n\r\n", id="HTTP/2.0"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\n", id="HTTP/2"),
        pytest.param("GET /twilio?ü HTTP/1.1\r\nHost: h\r\n\r\n".encode(), id="target that is not ASCII"),
        pytest.param(b"SETUP /twilio RTSP/1.0\r\nHost: h\r\n\r\n", id="RTSP"),
        pytest.param(b"SOURCE /twilio ICE/1.0\r\nHost: h\r\n\r\n", id="ICE"),
        pytest.param(head("Transfer-Encoding: chunked,"), id="chunked and nothing"),
    ],
)
def test_what_is_no_head(loop: asyncio.AbstractEventLoop, data: bytes) -> None:
    """What can be read in two ways, or is not HTTP/1, is refused."""
    with pytest.raises(UnreadableError) as refused:
        HeadParser(loop).parse(data)
    assert (refused.value.status, refused.value.outcome) == (400, "malformed")


@pytest.mark.parametrize(
    ("sent", "target"),
    [
        ("http://hooks.example.com/twilio", "/twilio"),
        ("HTTPS://hooks.example.com:8443/twilio?a=http://x/y", "/twilio?a=http://x/y"),
        ("http://[::1]:80/twilio", "/twilio"),
        ("http://h", "/"),
        ("http://h?a=b", "/?a=b"),
        ("http://h//twilio", "//twilio"),
        ("http://user@h/twilio", "http://user@h/twilio"),
        ("ftp://h/twilio", "ftp://h/twilio"),
        ("/http://h/twilio", "/http://h/twilio"),
        ("//h/twilio", "//h/twilio"),
    ],
)
def test_whole_url_as_target(loop: asyncio.AbstractEventLoop, sent: str, target: str) -> None:
    """A client may send the whole URL; its path and query are the target, and its host means nothing."""
    assert HeadParser(loop).parse(f"POST {sent} HTTP/1.1\r\nHost: h\r\n\r\n".encode()).target == target


@pytest.mark.parametrize("blanks", ["", " ", "\t", " \t "])
def test_blanks_after_a_length(loop: asyncio.AbstractEventLoop, blanks: str) -> None:
    """Blanks around a value are no part of it, whether the parser strips them or not."""
    assert HeadParser(loop).parse(head(f"Content-Length:{blanks}0{blanks}")).length == 0
    assert HeadParser(loop).parse(head(f"Content-Length: 17{blanks}")).length == 17
    assert HeadParser(loop).parse(head(f"Content-Length: {'0' * 5000}17{blanks}")).length == 17


@pytest.mark.parametrize("length", ["x", "1 7", "\xb2"])
def test_length_that_is_no_number(loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch, length: str) -> None:
    """What the parser lets through and this side cannot read is refused, and no error of the connection."""
    parser = HeadParser(loop)
    headers = CIMultiDictProxy(CIMultiDict({"Content-Length": length}))
    message = parser._parser.feed_data(head())[0][0][0]._replace(headers=headers)
    monkeypatch.setattr(parser, "_parser", SimpleNamespace(feed_data=lambda _data: ([(message, None)], False, b"")))
    with pytest.raises(UnreadableError):
        parser.parse(head())


@pytest.mark.parametrize(
    "lines", [["X: " + "y" * 60_000], [f"X{number}: y" for number in range(100)]], ids=["long", "many lines"]
)
def test_long_head_is_not_kept(loop: asyncio.AbstractEventLoop, lines: list[str]) -> None:
    """What waits for the next request holds nothing of a long head: there may be thousands of such connections."""
    parser = HeadParser(loop)
    first = parser._parser
    parser.parse(head())
    assert parser._parser is first
    parser.parse(head(*lines))
    assert parser._parser is not first
    assert parser.parse(PLAIN).length == 7


def test_long_lines(loop: asyncio.AbstractEventLoop) -> None:
    """A GET has the text of its message in the URL; 4096 characters of Chinese take 36 kB."""
    target = "/twilio?Body=" + "%E4%BD%A0" * 4096
    found = HeadParser(loop).parse(f"GET {target} HTTP/1.1\r\nHost: h\r\nX: {'y' * 20_000}\r\n\r\n".encode())
    assert found.target == target


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
    assert skip_empty_lines(b"\r\n" * 32 + PLAIN, 0) == 64


@pytest.mark.parametrize(("empty", "skipped"), [(65, 0), (2, 63), (1 << 18, 0)])
def test_empty_lines_without_end(empty: int, skipped: int) -> None:
    """However many come, and in whatever packets, they are refused after a few."""
    data = Counted(b"\r\n" * (empty // 2) + b"\r" * (empty % 2) + PLAIN)
    with pytest.raises(UnreadableError) as refused:
        skip_empty_lines(data, 0, skipped)
    assert (refused.value.status, refused.value.outcome) == (400, "malformed")
    assert data.steps < 100


def test_head_is_searched_once() -> None:
    """A head that arrives byte by byte is not searched from its beginning for each of them."""
    data = Counted(b"GET / HTTP/1.1\r\nX: " + b"y" * 30_000)
    assert find_end(data, 0) == 0
    assert data.searched == [0]
    assert find_end(data, 0, searched_in(len(data) - 1)) == 0
    assert data.searched[1] > len(data) - 10
    for cut in range(1, 5):
        assert find_end(b"12" + PLAIN, 2, searched_in(len(PLAIN) - cut)) == 2 + len(PLAIN)


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
