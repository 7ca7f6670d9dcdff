"""The commands that a Redis server executed, in order, as MONITOR reports them."""

import re
import socket
from collections.abc import Iterator
from typing import Final, NamedTuple
from uuid import uuid4

import redis

_LINE: Final = re.compile(rb"\+[\d.]+ \[\d+ (\S+)\] (.*)\r\n")
_WORD: Final = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_LUA: Final = b"lua"


class Call(NamedTuple):
    """A command that a client sent, as far as it is ASCII, and those that it did in turn if it was a script."""

    words: list[str]
    inner: list[list[str]]


class CommandLog:
    """Records from its creation until `close`. `client` is connected to the same server."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        address = client.get_connection_kwargs()
        self._socket = socket.create_connection((address["host"], address["port"]), timeout=10)
        self._file = self._socket.makefile("rb")
        self._socket.sendall(b"MONITOR\r\n")
        assert self._file.readline() == b"+OK\r\n"

    def calls(self) -> Iterator[Call]:
        """Yield the calls since the last time."""
        call: Call | None = None
        for source, words in self._lines():
            if source != _LUA:
                if call:
                    yield call
                call = Call(words, [])
            elif call:
                call.inner.append(words)
        if call:
            yield call

    def close(self) -> None:
        """Stop recording."""
        self._file.close()
        self._socket.close()

    def _lines(self) -> Iterator[tuple[bytes, list[str]]]:
        mark = uuid4().hex
        self._client.execute_command("ECHO", mark)
        while True:
            found = _LINE.fullmatch(self._file.readline())
            assert found is not None
            words = [word.decode(errors="replace") for word in _WORD.findall(found[2])]
            if words[-1] == mark:
                return
            yield found[1], words
