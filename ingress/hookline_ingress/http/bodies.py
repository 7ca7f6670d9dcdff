"""The bodies of requests, while they arrive. What they take is bounded by their bytes, in whatever pieces these come. Pure.

Chunks are read as RFC 9112, section 7.1 has them, and more strictly: CR and LF are accepted only where a line ends, and the
number of small chunks is limited, since each costs as much as a request to a path that does not exist.
"""

import re
from http import HTTPStatus
from typing import Final, Protocol

from hookline_ingress.http.request import UnreadableError

_CRLF: Final = b"\r\n"
_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_TRAILER_LINE: Final = re.compile(rb"[!#-'*+.^-z|~\w-]+:[\t\x20-\x7e\x80-\xff]*\r\n")
_LONGEST_LINE: Final = 1024
_FREE_FRAMING: Final = 4096
_CONTENT_PER_FRAMING: Final = 16
"""Bytes of a body for each one that frames chunks, beside the first `_FREE_FRAMING`: with 7 of these, a chunk must have 112."""


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
            elif (end := self._find_line(data, at)) == 0:
                break
            elif self._in_trailers:
                self._take_trailer(data[at:end])
                at = end
            else:
                self._take_size(data[at:end])
                at = end
        return at

    def _take_content(self, data: bytes, at: int) -> int:
        end = min(at + self._missing, len(data))
        self.content += memoryview(data)[at:end]
        self._missing -= end - at
        return end

    def _find_line(self, data: bytes, at: int) -> int:
        """Return where the line that begins at `at` ends, 0 if the rest of it is missing."""
        after_chunk = len(_CRLF) if self.content and not self._in_trailers else 0
        end = data.find(b"\n", at + after_chunk, at + _LONGEST_LINE) + 1
        if not end and len(data) - at >= _LONGEST_LINE:
            raise _malformed()
        self._framing += max(end - at, 0)
        if self._framing > _FREE_FRAMING + len(self.content) // _CONTENT_PER_FRAMING:
            raise UnreadableError(HTTPStatus.BAD_REQUEST, "small_chunks")
        return end

    def _take_size(self, line: bytes) -> None:
        if self.content:
            if not line.startswith(_CRLF):
                raise _malformed()
            line = line[len(_CRLF) :]
        found = _SIZE_LINE.fullmatch(line)
        if found is None:
            raise _malformed()
        self._missing = int(found[1], 16)
        self._in_trailers = not self._missing
        if len(self.content) + self._missing > self._limit:
            raise UnreadableError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large")

    def _take_trailer(self, line: bytes) -> None:
        if line == _CRLF:
            self.is_whole = True
        elif not _TRAILER_LINE.fullmatch(line):
            raise _malformed()


def _malformed() -> UnreadableError:
    return UnreadableError(HTTPStatus.BAD_REQUEST, "malformed")
