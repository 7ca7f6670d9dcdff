"""The heads of requests: from the method to the empty line. They are all that aiohttp's parser gets to see.

The parser gets each head in one piece, and must find exactly one request in it that ends where the head does. So it holds no
half-read request, whose memory it would not bound, and no body, which it would keep in as many pieces as the client sends
chunks; and bytes that it understands otherwise than this file does are refused, not resolved in favour of one of the two.
"""

import re
from asyncio import AbstractEventLoop
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp.http import HttpRequestParser, HttpVersion10, HttpVersion11
from aiohttp.http_parser import HttpRequestParserPy
from multidict import MultiMapping

from hookline_ingress.http.request import UnreadableError

LARGEST_HEAD: Final = 32 * 1024
"""Bytes. Twilio sends 1 kB; nginx accepts as much by default, other proxies less or up to twice as much."""

IS_COMPILED: Final = not issubclass(HttpRequestParser, HttpRequestParserPy)
"""Whether the parser is aiohttp's compiled one, llhttp. Most weaknesses that were published are those of the other one."""

_END: Final = b"\r\n\r\n"
_BEGINNING: Final = re.compile(rb"[A-Z][A-Z-]{0,31}(?: |\Z)")
"""A method, or the beginning of one: what else comes, such as TLS, becomes no request, however much follows."""
_LINE_ENDS: Final = b"\r\n"


class Head(msgspec.Struct, frozen=True, gc=False):
    """A head. `length` is that of the body in bytes, None if it comes in chunks.

    `keep_open` is whether the client may send another request after this one.
    """

    method: str
    target: str
    headers: MultiMapping[str]
    length: int | None
    keep_open: bool


def skip_empty_lines(data: bytes, at: int) -> int:
    """Return where the first line that is not empty begins in `data`, from `at`. Some clients send one after a body."""
    while at < len(data) and data[at] in _LINE_ENDS:
        at += 1
    return at


def find_end(data: bytes, at: int) -> int:
    """Return where the head that begins at `at` ends in `data`, 0 if the rest of it is missing.

    Raises:
        UnreadableError: if it is too large, or will not be a head, whatever follows.

    """
    end = data.find(_END, at, at + LARGEST_HEAD)
    if end >= 0:
        return end + len(_END)
    if len(data) - at >= LARGEST_HEAD:
        raise UnreadableError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too_large")
    if not _BEGINNING.match(data, at):
        raise _malformed()
    return 0


def has_end(data: bytes, at: int) -> bool:
    """Whether `data` has the end of a head from `at` on."""
    return data.find(_END, at) >= 0


class HeadParser:
    """Parses the heads of one connection."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._parser = HttpRequestParser(
            None,  # the protocol, which is told about bodies
            loop,
            0,  # bytes of a body
            auto_decompress=False,
            response_with_body=False,  # so the next head follows, as far as it knows
        )

    def parse(self, data: bytes) -> Head:
        """Return the head that `data` is.

        Raises:
            UnreadableError: if it is not the head of one request.

        """
        try:
            messages, upgraded, _ = self._parser.feed_data(data)
        except Exception as error:  # not only of the parser: "POST http://][@" is an IndexError of what splits URLs
            raise _malformed() from error
        if len(messages) != 1:
            raise _malformed()
        message, _ = messages[0]
        persistent = message.version == HttpVersion11
        if not message.path or not (persistent or message.version == HttpVersion10):  # a CONNECT to nowhere has no path
            raise _malformed()
        headers = message.headers
        keep_open = persistent and not (message.should_close or upgraded or message.upgrade)
        return Head(message.method, message.path, headers, _length(headers, chunked=bool(message.chunked)), keep_open)


def _length(headers: Mapping[str, str], *, chunked: bool) -> int | None:
    """Return the length of the body, None if it comes in chunks. The parser has seen that only one of both is given."""
    encoding = headers.get("Transfer-Encoding")
    if encoding is not None:
        if not chunked or encoding.lower() != "chunked":  # such as "gzip, chunked"
            raise _malformed()
        return None
    return int(headers.get("Content-Length", "").lstrip("0") or "0")  # of 5000 zeros, int() would complain


def _malformed() -> UnreadableError:
    return UnreadableError(HTTPStatus.BAD_REQUEST, "malformed")
