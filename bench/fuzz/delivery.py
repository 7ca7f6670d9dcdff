"""Delivers cases over connections of their own, and waits for the end that the server makes of each."""

import asyncio
import re
import sys
import time
from typing import Final, NamedTuple, cast

from bench.fuzz.cases import Case

_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_GIVEN_UP_S: Final = 30.0
_ADDRESSES: Final = 200
"""Addresses of this machine to connect from: each has its own ports, which the system keeps for a minute."""


class Answered(NamedTuple):
    """The statuses that came, the seconds from the last byte sent to the end of the connection, and whether that came."""

    statuses: list[int]
    seconds: float
    ended: bool = True


class Delivery(asyncio.Protocol):
    """One connection. It sends all packets, then its end, and collects what comes."""

    def __init__(self, case: Case) -> None:
        self._packets = case.packets
        self._received = bytearray()
        self._sent_at = 0.0
        self.ended: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send everything, each packet as one."""
        connected = cast("asyncio.Transport", transport)  # uvloop's is none, but has the same methods
        for packet in self._packets:
            connected.write(packet)
        self._sent_at = time.perf_counter()
        connected.write_eof()

    def data_received(self, data: bytes) -> None:
        """Keep what comes."""
        self._received += data

    def eof_received(self) -> bool:
        """Close, too."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end; a reset is one as well."""
        if not self.ended.done():
            statuses = [int(status) for status in _STATUS.findall(bytes(self._received))]
            self.ended.set_result(Answered(statuses, time.perf_counter() - self._sent_at))


async def deliver(port: int, case: Case, number: int) -> Answered:
    """Send `case` to loopback port `port`; return what came. A server that never ends the connection has 30 s."""
    source = (f"127.0.1.{number % _ADDRESSES + 1}", 0) if sys.platform == "linux" else None
    loop = asyncio.get_running_loop()
    transport, delivery = await loop.create_connection(lambda: Delivery(case), "127.0.0.1", port, local_addr=source)
    try:
        async with asyncio.timeout(_GIVEN_UP_S):
            return await delivery.ended
    except TimeoutError:
        return Answered([], _GIVEN_UP_S, ended=False)
    finally:
        transport.abort()
