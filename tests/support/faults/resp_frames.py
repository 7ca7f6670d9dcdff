"""RESP as somebody between client and server sees it: where each value ends, and which reply is whose turn.

A value is a line `<kind><rest>\\r\\n`. In a bulk string (`$3`) the rest is the length of the body, which follows with an end of
line of its own; in an array (`*2`) it is the number of values that follow. -1 stands for nil, after which nothing follows.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

_BODIES: Final = frozenset(b"$=!")
_VALUES: Final = {b"*"[0]: 1, b"~"[0]: 1, b">"[0]: 1, b"%"[0]: 2}
"""How many values each element has, by kind."""


class Frames:
    """Cuts a stream that comes in pieces into whole values, each as its bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._missing = 1

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the values that `chunk` completes; the start of another one is kept for later."""
        self._buffer += chunk
        return list(iter(self._next, b""))

    def _next(self) -> bytes:
        while self._missing and (end := self._buffer.find(b"\n", self._scanned)) >= 0:
            line, self._scanned = bytes(self._buffer[self._scanned : end]), end + 1
            self._scan(line)
        if self._missing or self._scanned > len(self._buffer):
            return b""
        frame = bytes(self._buffer[: self._scanned])
        del self._buffer[: self._scanned]
        self._scanned, self._missing = 0, 1
        return frame

    def _scan(self, line: bytes) -> None:
        """Count what must follow `line`. Where bytes are nested does not matter, only how many values are missing."""
        self._missing -= 1
        if line[0] in _BODIES and int(line[1:]) >= 0:
            self._scanned += int(line[1:]) + len(b"\r\n")
        elif line[0] in _VALUES:
            self._missing += max(int(line[1:]), 0) * _VALUES[line[0]]


class ReplyOrder:
    """Keeps the replies of one connection in the order of its commands, when only some are answered by the server."""

    def __init__(self) -> None:
        self._turns: deque[bytes | None] = deque()

    def forwarded(self) -> None:
        """Note that a command went to the server."""
        self._turns.append(None)

    def answered(self, reply: bytes) -> None:
        """Note that a command is answered here, with `reply`."""
        self._turns.append(reply)

    def merge(self, replies: Iterable[bytes]) -> bytes:
        """Return what the client may have now that the server sent `replies`, with the replies from here in between."""
        return b"".join(self._in_turn(replies))

    def _in_turn(self, replies: Iterable[bytes]) -> Iterator[bytes]:
        yield from self._own()
        for reply in replies:
            yield reply
            if self._turns and not reply.startswith(b">"):  # what the server pushes answers no command
                self._turns.popleft()
            yield from self._own()

    def _own(self) -> Iterator[bytes]:
        while self._turns and (reply := self._turns[0]) is not None:
            yield reply
            self._turns.popleft()


def command_word(command: bytes) -> bytes:
    """Return the first word of `command`, as a client sends it (`*1\\r\\n$4\\r\\nping\\r\\n`), in upper case."""
    words = command.split(maxsplit=3)
    return words[2 if command.startswith(b"*") else 0].upper()
