"""A raw connection: any bytes out, answers and the end of it in."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from tests.support.servers.ports import LOOPBACK
from tests.support.waiting import PATIENCE_S

_RESET = struct.pack("ii", 1, 0)


class Answer(NamedTuple):
    """The answer. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """One connection. Every wait has a generous time limit."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        """Send `data`; a server that does not want it any more is no error."""
        if not self._writer.transport.is_closing():
            self._writer.write(data)

    def finish(self) -> None:
        """Send no more, but go on listening."""
        self._writer.write_eof()

    def abort(self) -> None:
        """Abort the connection, as a crash or a firewall does."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._writer.transport.abort()

    async def answer(self) -> Answer:
        """Return the next answer. Raises EOFError if the connection ends before it."""
        async with asyncio.timeout(PATIENCE_S):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().splitlines()
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-1])}
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(head[0].split()[1]), headers, body)

    async def rest(self) -> bytes:
        """Return all that comes until the other side ends the connection; a reset is an end as well."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self._reader.read()
            except ConnectionError:
                return b""

    async def close(self) -> None:
        """End it."""
        self._writer.close()
        with suppress(ConnectionError):  # the other side was first
            await self._writer.wait_closed()


@asynccontextmanager
async def connected(port: int, receive_buffer: int = 0) -> AsyncIterator[Wire]:
    """Connect to loopback port `port`, with room for `receive_buffer` bytes on this side, if it is not 0."""
    client = socket.socket()
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(client, (LOOPBACK, port))
    except OSError:
        client.close()
        raise
    wire = Wire(*await asyncio.open_connection(sock=client))
    try:
        yield wire
    finally:
        await wire.close()
