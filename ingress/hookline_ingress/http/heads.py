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
from aiohttp.hdrs import CONTENT_LENGTH, TRANSFER_ENCODING
from aiohttp.http import HttpRequestParser, HttpVersion10, HttpVersion11
from aiohttp.http_parser import HttpRequestParserPy
from multidict import MultiMapping

from hookline_ingress.http.request import UnreadableError

LARGEST_HEAD: Final = 64 * 1024
"""Bytes, all of which one line may have. Twilio's POSTs have 1 kB, but a GET has the text of its message in the URL: 4096
characters of WhatsApp, each as 9 bytes in Chinese."""

IS_COMPILED: Final = not issubclass(HttpRequestParser, HttpRequestParserPy)
"""Whether the parser is aiohttp's compiled one, llhttp. Most weaknesses that were published are those of the other one."""

BYTES_PER_LINE: Final = 100
"""What a line of a head takes in memory once it is parsed, beside its bytes. Measured."""
_LONG: Final = 2048
_MANY: Final = 32
"""Bytes and lines of a head that is long. Those of Twilio's POSTs have 1 kB and some 15 lines, and proxies add a few."""
_END: Final = b"\r\n\r\n"
_BEGINNING: Final = re.compile(rb"[A-Z][A-Z-]{0,31}(?: |\Z)")
"""A method, or the beginning of one: what else comes, such as TLS, becomes no request, however much follows."""
_LINE_ENDS: Final = b"\r\n"
_PROTOCOL: Final = b" HTTP/1."
_ABSOLUTE: Final = re.compile(r"https?://[^/?#@\s]+(?=[/?]|\Z)", re.IGNORECASE)
_BLANKS: Final = " \t"
_LONGEST_NUMBER: Final = 20
_MOST_EMPTY: Final = 64
"""Bytes of empty lines before a head, of which a server should accept one (RFC 9112, section 2.2)."""


class Head(msgspec.Struct, frozen=True, gc=False):
    """A head. `length` is that of the body in bytes, None if it comes in chunks.

    `target` is the path and query, also if the client has sent a whole URL. `keep_open` is whether it may send another
    request after this one, `is_1_1` whether it speaks HTTP/1.1.
    """

    method: str
    target: str
    headers: MultiMapping[str]
    length: int | None
    keep_open: bool
    is_1_1: bool


def skip_empty_lines(data: bytes, at: int, skipped: int = 0) -> int:
    """Return where the first line that is not empty begins in `data`, from `at`. Some clients send one after a body.

    `skipped` is the number of bytes that were skipped before, since the last request.

    Raises:
        UnreadableError: if there are too many of them.

    """
    if at < len(data) and data[at] not in _LINE_ENDS:
        return at
    begun = data[at : at + _MOST_EMPTY + 1]
    empty = len(begun) - len(begun.lstrip(_LINE_ENDS))
    if skipped + empty > _MOST_EMPTY:
        raise _malformed()
    return at + empty


def find_end(data: bytes, at: int, searched: int = 0) -> int:
    """Return where the head that begins at `at` ends in `data`, 0 if the rest of it is missing.

    `searched` is the number of its bytes at which none begins, as was found before.

    Raises:
        UnreadableError: if it is too large, or will not be a head, whatever follows.

    """
    end = data.find(_END, at + searched, at + LARGEST_HEAD)
    if end >= 0:
        return end + len(_END)
    if len(data) - at >= LARGEST_HEAD:
        raise UnreadableError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too_large")
    if not _BEGINNING.match(data, at):
        raise _malformed()
    return 0


def searched_in(length: int) -> int:
    """Return at how many bytes of a head, of which `length` are there and without an end, none begins."""
    return max(0, length - len(_END) + 1)


def has_end(data: bytes, at: int) -> bool:
    """Whether `data` has the end of a head from `at` on."""
    return data.find(_END, at) >= 0


class HeadParser:
    """Parses the heads of one connection."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._parser = _new_parser(loop)

    def parse(self, data: bytes) -> Head:
        """Return the head that `data` is.

        Raises:
            UnreadableError: if it is not the head of one request.

        """
        try:
            messages, upgraded, _ = self._parser.feed_data(data)
            ((message, _),) = messages
            headers = message.headers
            length = _length(headers, message.chunked)
        except Exception as error:  # not only of the parser: "POST http://][@" is an IndexError of what splits URLs
            raise _malformed() from error
        method, target, version = message.method, message.path, message.version
        is_1_1 = version == HttpVersion11
        if not target or not (is_1_1 or version == HttpVersion10):  # a CONNECT to nowhere has no path
            raise _malformed()
        if not data.startswith(_PROTOCOL, len(method) + 1 + len(target)):  # the parser also reads RTSP and ICE
            raise _malformed()
        if len(data) > _LONG or len(headers) > _MANY:
            self._parser = _new_parser(self._loop)  # the old one would keep the head, on thousands of idle connections
        keep_open = is_1_1 and not (message.should_close or upgraded or message.upgrade)
        if not target.startswith("/"):
            target = _origin_form(target)
        return Head(method, target, headers, length, keep_open, is_1_1)


def _new_parser(loop: AbstractEventLoop) -> HttpRequestParser:
    return HttpRequestParser(
        None,  # the protocol, which is told about bodies
        loop,
        0,  # bytes of a body
        max_line_size=LARGEST_HEAD,
        max_field_size=LARGEST_HEAD,
        auto_decompress=False,
        response_with_body=False,  # so the next head follows, as far as it knows
    )


def _origin_form(target: str) -> str:
    """Return the path and query of a whole URL, which a server must accept as a target (RFC 9112, section 3.2.2).

    Its host is dropped, as the Host header is: signatures are over the public URL, whatever host a client names. Targets of
    other forms are returned as they are, and no path is equal to one.
    """
    path = _ABSOLUTE.sub("", target, count=1)
    return path if path.startswith("/") or path == target else f"/{path}"


def _length(headers: Mapping[str, str], chunked: object) -> int | None:
    """Return the length of the body, None if it comes in chunks. The parser has seen that only one of both is given.

    Raises:
        ValueError: if it is no number.
        UnreadableError: if the body comes in another way.

    """
    encoding = headers.get(TRANSFER_ENCODING)
    if encoding is not None:
        if not chunked or encoding.lower() != "chunked":  # such as "gzip, chunked"
            raise _malformed()
        return None
    length = headers.get(CONTENT_LENGTH, "0")
    if len(length) > _LONGEST_NUMBER:  # of 5000 zeros, int() would complain
        length = length.strip(_BLANKS).lstrip("0") or "0"
    return int(length)  # which ignores blanks behind it; the parser leaves those before aiohttp 3.14.5


def _malformed() -> UnreadableError:
    return UnreadableError(HTTPStatus.BAD_REQUEST, "malformed")
