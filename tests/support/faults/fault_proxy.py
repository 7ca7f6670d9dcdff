"""A network between a service and Redis, with faults on demand."""

import asyncio
import socket
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

from tests.support.faults.fault_relay import Faults, Relay
from tests.support.faults.listener import Listener
from tests.support.servers.ports import LOOPBACK


class FaultProxy:
    """A TCP proxy in front of the Redis server on loopback port `server_port`, in the event loop of the test.

    Faults add up, and apply to the connections that exist and to new ones, until `heal`. `cut` and `half_open` happen once, to
    the connections that exist. Each command is taken to have one reply: pub/sub with several channels, MONITOR and CLIENT REPLY
    are not for this. If the server is down, a connection is accepted and then reset. As a context manager it opens and closes.
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._faults = Faults()
        self._relays: dict[asyncio.Task[None], Relay] = {}
        self._listener = Listener(self._take)

    @property
    def port(self) -> int:
        """The port to connect to, which stays the same."""
        return self._listener.port

    @property
    def url(self) -> str:
        """The REDIS_URL of database 0 through this."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    @property
    def connections(self) -> int:
        """How many connections of clients are open, those that are half open included."""
        return sum(relay.open for relay in self._relays.values())

    def delay(self, seconds: float) -> None:
        """Delay every reply by this time, in order."""
        self._faults = replace(self._faults, delay_s=seconds)

    def stall(self) -> None:
        """Hold everything in both directions until `heal`, then forward it, also commands of clients that have given up."""
        self._faults = replace(self._faults, stalled=True)

    def cut(self) -> None:
        """Reset all present connections."""
        for relay in self._relays.values():
            relay.cut()

    def refuse(self) -> None:
        """Reset all present connections, and refuse new ones."""
        self._listener.refuse()
        self.cut()

    def half_open(self) -> None:
        """Make all present connections half-open: silent and never closed. Neither side learns of the other's end."""
        for relay in self._relays.values():
            relay.die()

    def truncate(self, after_bytes: int = 5) -> None:
        """Cut each connection's next replies after so many bytes, and in any case before their last one, then close it.

        The commands have reached the server.
        """
        self._faults = replace(self._faults, truncate_after=after_bytes)

    def answer(self, error: str, commands: Collection[str] | None = None) -> None:
        """Answer `commands`, or all, with `error`, for example "LOADING Redis is loading the dataset in memory".

        They do not reach the server. Its transactions do not know of it: EXEC succeeds without the command that failed.
        """
        words = None if commands is None else frozenset(word.upper().encode() for word in commands)
        self._faults = replace(self._faults, error=f"-{error}\r\n".encode(), commands=words)

    def heal(self) -> None:
        """Remove all faults. Held and delayed data is forwarded at once; cut and half-open connections stay so."""
        self._faults = Faults()
        self._listener.listen()
        for relay in self._relays.values():
            relay.heal()

    async def close(self) -> None:
        """Close the port and all connections."""
        self._listener.close()
        for relay in self._relays.values():
            relay.stop()
        await asyncio.gather(*self._relays)

    async def __aenter__(self) -> Self:
        self._listener.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _take(self, accepted: socket.socket) -> None:
        relay = Relay(lambda: self._faults)
        task = asyncio.create_task(relay.run(accepted, self._server_port), name=f"relay of {accepted.getpeername()}")
        self._relays[task] = relay
        task.add_done_callback(self._relays.pop)


@asynccontextmanager
async def raw(proxy: FaultProxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Yield a connection to the proxy that no client library made."""
    reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
