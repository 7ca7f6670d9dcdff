"""The attacker: its connections, and what they cost it."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from bench.attacks.catalogue import Attack

_READ: Final = 65536
_PACKET: Final = 1 << 18
_AGAIN_S: Final = 0.01


@dataclass
class Cost:
    """What the attacker did. `cpu_s` is processor time in seconds, of everything in its process."""

    connections: int = 0
    requests: int = 0
    sent_bytes: int = 0
    cpu_s: float = 0.0


class Attacker:
    """Carries out `attack` on loopback port `port` from `start` to `stop`."""

    def __init__(self, attack: Attack, port: int) -> None:
        self.cost = Cost()
        self._attack = attack
        self._port = port
        self._tasks: Sequence[asyncio.Task[None]] = ()
        self._began = 0.0

    def start(self) -> None:
        """Begin."""
        self._began = time.process_time()
        self._tasks = [asyncio.create_task(self._connect_again()) for _ in range(self._attack.connections)]

    async def stop(self) -> None:
        """End all connections at once."""
        self.cost.cpu_s = time.process_time() - self._began
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connect_again(self) -> None:
        while True:
            with suppress(OSError):
                await self._use_connection()
            await asyncio.sleep(_AGAIN_S)

    async def _use_connection(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        self.cost.connections += 1
        reading = asyncio.create_task(_read_all(reader)) if self._attack.reads else None
        try:
            await self._send(writer, reading)
            if self._attack.holds and reading is not None:
                await reading
        finally:
            if reading is not None:
                reading.cancel()
            writer.transport.abort()

    async def _send(self, writer: asyncio.StreamWriter, reading: "asyncio.Task[None] | None") -> None:
        """Send once, or until the server has had enough."""
        while not writer.is_closing() and not (reading and reading.done()):
            for at in range(0, len(self._attack.data), _PACKET):
                packet = self._attack.data[at : at + _PACKET]
                writer.write(packet)
                await writer.drain()
                self.cost.sent_bytes += len(packet)
                if reading is not None and reading.done():
                    return
            self.cost.requests += self._attack.requests
            if self._attack.holds:
                return
            await asyncio.sleep(0)


async def _read_all(reader: asyncio.StreamReader) -> None:
    with suppress(OSError):
        while await reader.read(_READ):
            pass
