"""A slow network between a service and a server."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from tests.support.servers.ports import LOOPBACK

_CHUNK: Final = 1 << 16


class SlowLink:
    """A TCP proxy in front of loopback port `server_port` that passes on `rate` bytes per second in each direction.

    The connections share them. It takes from one side only what it can give to the other, so the sender notices. `received`
    counts the bytes from the server. As a context manager it opens and closes, in the event loop of the test.
    """

    def __init__(self, server_port: int, rate: float) -> None:
        self.rate = rate
        self.received = 0
        self._server_port = server_port
        self._free_at: dict[bool, float] = {}
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port to connect to."""
        assert self._server is not None, "not open"
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """The REDIS_URL of database 0 through this."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._take, LOOPBACK, 0, limit=_CHUNK)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        server_reader, server_writer = await asyncio.open_connection(LOOPBACK, self._server_port, limit=_CHUNK)
        ways = (self._pass_on(reader, server_writer, back=False), self._pass_on(server_reader, writer, back=True))
        both = [asyncio.ensure_future(way) for way in ways]
        try:
            with suppress(asyncio.CancelledError):  # the end of the test; streams would log it
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in both:
                way.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            for end in (writer, server_writer):
                end.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, back: bool) -> None:
        """Pass chunks on until either end closes, each at the time when the link is free."""
        loop = asyncio.get_running_loop()
        while chunk := await reader.read(_CHUNK):
            free_at = self._free_at[back] = max(loop.time(), self._free_at.get(back, 0.0)) + len(chunk) / self.rate
            await asyncio.sleep(free_at - loop.time())
            self.received += len(chunk) if back else 0
            writer.write(chunk)
            await writer.drain()
