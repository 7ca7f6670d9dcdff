"""The bodies of requests, while they arrive. What they take is bounded by their bytes, in whatever pieces these come. Pure.

Chunks are read as RFC 9112, section 7.1 has them, and more strictly: CR and LF are accepted only where a line ends, and the
number of small chunks is limited, since each costs as much as a request to a path that does not exist.
"""

import re
from http import HTTPStatus
from typing import Final, Protocol

from hookline_ingress.http.request import UnreadableError

_CRLF: Final = b"\r\n"
_SIZE: Final = rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]{0,1000})?\r\n"
_FIRST_SIZE: Final = re.compile(_SIZE)
_NEXT_SIZE: Final = re.compile(rb"\r\n" + _SIZE)
_TRAILER: Final = re.compile(rb"(?:[!#-'*+.^-z|~\w-]{1,200}:[\t\x20-\x7e\x80-\xff]{0,1000})?\r\n")
_LONGEST_LINE: Final = 1024
_FREE_FRAMING: Final = 512
_CONTENT_PER_FRAMING: Final = 128
"""Bytes of a body for each one that frames chunks, beside the first `_FREE_FRAMING`: with 7 of these, a chunk must have 896."""


class Body(Protocol):
    """A body of which a part is missing. `content` is what has arrived, `is_whole` whether that is all."""

    content: bytearray
    is_whole: bool

    def take(self, data: bytes, at: int) -> int:
        """Take what belongs to the body from `data`, beginning at `at`; return where the rest begins.

        Raises:
            UnreadableError: if it becomes no body that is accepted.

        """
        ...


class SizedBody:
    """A body of `length` bytes."""

    def __init__(self, length: int) -> None:
        self.content = bytearray()
        self.is_whole = False
        self._length = length

    def take(self, data: bytes, at: int) -> int:
        """Take what belongs to the body; see `Body`."""
        end = min(at + self._length - len(self.content), len(data))
        self.content += memoryview(data)[at:end]
        self.is_whole = len(self.content) == self._length
        return end


class ChunkedBody:
    """A body in chunks, of at most `limit` bytes. What frames the chunks is dropped, and so are trailers.

    before a chunk    `_missing` is 0; the line with a size comes, after the CRLF that ends the chunk before
    in a chunk        `_missing` is how many bytes of it have not arrived
    after the last    `_in_trailers`; lines come until an empty one
    """

    def __init__(self, limit: int) -> None:
        self.content = bytearray()
        self.is_whole = False
        self._limit = limit
        self._missing = 0
        self._framing = 0
        self._in_trailers = False

    def take(self, data: bytes, at: int) -> int:
        """Take what belongs to the body; see `Body`."""
        while at < len(data) and not self.is_whole:
            if self._missing:
                at = self._take_content(data, at)
                continue
            end = self._take_trailer(data, at) if self._in_trailers else self._take_size(data, at)
            if not end:
                break
            self._framing += end - at
            if self._framing > _FREE_FRAMING + len(self.content) // _CONTENT_PER_FRAMING:
                raise UnreadableError(HTTPStatus.BAD_REQUEST, "small_chunks")
            at = end
        return at

    def _take_content(self, data: bytes, at: int) -> int:
        end = min(at + self._missing, len(data))
        self.content += memoryview(data)[at:end]
        self._missing -= end - at
        return end

    def _take_size(self, data: bytes, at: int) -> int:
        """Take the line with the size of the next chunk; return where it ends, 0 if the rest of it is missing."""
        found = (_NEXT_SIZE if self.content else _FIRST_SIZE).match(data, at)
        if found is None:
            return _await_line(data, at, after=len(_CRLF) if self.content else 0)
        self._missing = int(found[1], 16)
        self._in_trailers = not self._missing
        if len(self.content) + self._missing > self._limit:
            raise UnreadableError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large")
        return found.end()

    def _take_trailer(self, data: bytes, at: int) -> int:
        """Take one line after the last chunk; return where it ends, 0 if the rest of it is missing."""
        found = _TRAILER.match(data, at)
        if found is None:
            return _await_line(data, at)
        self.is_whole = found.end() == at + len(_CRLF)
        return found.end()


def expect_body(length: int | None, limit: int | None) -> Body:
    """Return a body of `length` bytes, None if it comes in chunks; nothing of it has arrived. `limit` is the most it may have.

    Raises:
        UnreadableError: if it is too large, or `limit` is None: its path does not exist.

    """
    if limit is None:
        raise UnreadableError(HTTPStatus.NOT_FOUND, "unknown_path")
    if (length or 0) > limit:
        raise UnreadableError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large")
    return ChunkedBody(limit) if length is None else SizedBody(length)


def _await_line(data: bytes, at: int, after: int = 0) -> int:
    """Return 0, since no line that is accepted begins at `at`, but may once more has come: the first LF `after` ends it."""
    if len(data) - at >= _LONGEST_LINE or data.find(b"\n", at + after) >= 0:
        raise _malformed()
    return 0


def _malformed() -> UnreadableError:
    return UnreadableError(HTTPStatus.BAD_REQUEST, "malformed")
