"""A RESP2 server with scripted replies, for tests of connections that need no data."""

import asyncio
import inspect
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

import hiredis

from tests.support.faults.listener import Listener
from tests.support.servers.ports import LOOPBACK

Reply = bytes | str | int | Exception | Sequence["Reply"] | None
"""bytes as they are on the wire, a simple string, an integer, an error by its text, an array, nil. Bulk strings: `bulk`."""

Answer = Reply | Callable[[list[str]], Reply | Awaitable[Reply]]
"""A reply, or what gives one for the words of a command, at once or when it has been waited for."""

_CHUNK: Final = 65536


class ScriptedRedis:
    """A server on a loopback port that answers from a script, in the event loop of the test.

    `answers` go by a command's first two words ("CLIENT SETNAME") or else its first ("CLIENT"), in upper case, and may be
    changed at any time. Unless told otherwise PING is answered PONG and all else OK. `commands` are those received, `accepted`
    counts connections. On each connection commands are read at once and answered in order. An error raised by the script closes
    the connection, and is raised again, in a group, by `close`. As a context manager it opens and closes.
    """

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.answers: dict[str, Answer] = {"PING": "PONG"} | dict(answers)
        self.commands: list[list[str]] = []
        self.accepted = 0
        self._connections: list[asyncio.Task[None]] = []
        self._listener = Listener(self._take)

    @property
    def port(self) -> int:
        """The port to connect to."""
        return self._listener.port

    @property
    def url(self) -> str:
        """The REDIS_URL of database 0."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    @property
    def open(self) -> int:
        """How many connections are open now."""
        return sum(not connection.done() and not connection.cancelling() for connection in self._connections)

    def drop(self) -> None:
        """Close all present connections, whatever they wait for."""
        for connection in self._connections:
            connection.cancel()

    async def close(self) -> None:
        """Close the port and all connections."""
        self._listener.close()
        self.drop()
        for result in await asyncio.gather(*self._connections, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def __aenter__(self) -> Self:
        self._listener.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _take(self, accepted: socket.socket) -> None:
        self.accepted += 1
        connection = asyncio.create_task(self._serve(accepted), name=f"scripted connection {self.accepted}")
        connection.add_done_callback(lambda _: accepted.close())  # it may be cancelled before it begins
        self._connections.append(connection)

    async def _serve(self, accepted: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=accepted)
        try:
            async with asyncio.TaskGroup() as group:
                received: asyncio.Queue[list[str]] = asyncio.Queue()
                answering = group.create_task(self._answer(received, writer))
                await self._receive(reader, received)
                answering.cancel()
        finally:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _receive(self, reader: asyncio.StreamReader, received: asyncio.Queue[list[str]]) -> None:
        """Read commands until the client closes."""
        parser = hiredis.Reader(encoding="utf-8", errors="surrogateescape")
        with suppress(ConnectionError):
            while chunk := await reader.read(_CHUNK):
                parser.feed(chunk)
                while words := parser.gets():
                    self.commands.append(words)
                    received.put_nowait(words)

    async def _answer(self, received: asyncio.Queue[list[str]], writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(encode(await self._reply(await received.get())))

    async def _reply(self, words: list[str]) -> Reply:
        answer = self._find(words)
        reply = answer(words) if callable(answer) else answer
        return await reply if inspect.isawaitable(reply) else reply

    def _find(self, words: list[str]) -> Answer:
        names = (" ".join(words[:number]).upper() for number in (2, 1))
        return next((self.answers[name] for name in names if name in self.answers), "OK")


def bulk(text: str | bytes) -> bytes:
    """Return a bulk string, on the wire."""
    body = text if isinstance(text, bytes) else text.encode(errors="surrogateescape")
    return b"$%d\r\n%b\r\n" % (len(body), body)


def encode(reply: Reply) -> bytes:
    """Return `reply` on the wire."""
    match reply:
        case None:
            return b"$-1\r\n"
        case bytes():
            return reply
        case str():
            return f"+{reply}\r\n".encode(errors="surrogateescape")
        case int():
            return b":%d\r\n" % reply
        case Exception():
            return f"-{reply}\r\n".encode(errors="surrogateescape")
        case _:
            return b"*%d\r\n" % len(reply) + b"".join(map(encode, reply))
