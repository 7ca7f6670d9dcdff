"""A steady stream of numbered messages over a few connections, cheap enough to leave the machine to the services.

The messages come from the benchmark (`bench.load.webhooks`) and are signed when they are sent. A conversation belongs to one
connection, which sends a message once the one before is acknowledged: so a conversation's order is that of its numbers.
"""

import asyncio
import time
from collections.abc import Iterator
from itertools import count
from typing import Final

from bench.load import webhooks
from bench.load.http_reply import is_whole, status_of
from tests.support.servers.ports import LOOPBACK
from tests.support.waiting import until

CONNECTIONS: Final = 50
SETTINGS: Final = {"TWILIO_AUTH_TOKEN": webhooks.TOKEN, "PUBLIC_URL": webhooks.PUBLIC_URL}
"""What ingress has to know to believe these messages."""

_PAUSE_S = 0.02  # between two tries to deliver
_CHUNK = 65536


class Flood:
    """Delivers `rate` messages per second to the ingress on `port`, or as many as it can, from so many `conversations`.

    `conversations` is a multiple of `CONNECTIONS`. `acknowledged` are the SIDs of the messages that were answered with a 2xx;
    `refused` is how often one was not, and was delivered again.
    """

    def __init__(self, port: int, rate: float, conversations: int) -> None:
        assert conversations % CONNECTIONS == 0, "else a conversation has several connections"
        self._port = port
        self._interval_s = CONNECTIONS / rate
        self._conversations = conversations
        self._ended = False
        self._begun_at = self._ended_at = 0.0
        self.acknowledged: list[str] = []
        self.refused = 0

    @property
    def rate(self) -> float:
        """Messages acknowledged per second, from `run` to its end, or to now."""
        return len(self.acknowledged) / ((self._ended_at or time.monotonic()) - self._begun_at)

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return (self._ended_at or time.monotonic()) - self._begun_at

    async def run(self) -> None:
        """Deliver until `end`."""
        self._begun_at = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for connection in range(CONNECTIONS):
                tasks.create_task(self._deliver_all(connection))
        self._ended_at = time.monotonic()

    def end(self) -> None:
        """Begin no more deliveries."""
        self._ended = True

    async def more(self, messages: int) -> None:
        """Wait until so many more are acknowledged."""
        enough = len(self.acknowledged) + messages
        await until(lambda: len(self.acknowledged) >= enough, f"{messages} more are acknowledged")

    async def _deliver_all(self, connection: int) -> None:
        reader, writer = await asyncio.open_connection(LOOPBACK, self._port)
        due = time.monotonic() + connection * self._interval_s / CONNECTIONS
        for number in self._numbers(connection):
            await asyncio.sleep(due - time.monotonic())
            if self._ended:
                break
            await self._deliver(webhooks.request(number), reader, writer)
            self.acknowledged.append(webhooks.message_sid(number))
            due += self._interval_s
        writer.close()
        await writer.wait_closed()

    def _numbers(self, connection: int) -> Iterator[int]:
        """Yield the numbers of a connection's messages, which `bench.load.webhooks` gives to its conversations in turn."""
        for index in count(connection, CONNECTIONS):
            turn, conversation = divmod(index, self._conversations)
            yield turn * webhooks.CONVERSATIONS + conversation

    async def _deliver(self, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (status := await _exchange(request, reader, writer)) != "200":
            assert status == "503", f"unexpected answer {status}"
            self.refused += 1
            await asyncio.sleep(_PAUSE_S)


async def _exchange(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    writer.write(request)
    reply = b""
    while not is_whole(reply):
        more = await reader.read(_CHUNK)
        assert more, "ingress closed the connection"
        reply += more
    return status_of(reply)
