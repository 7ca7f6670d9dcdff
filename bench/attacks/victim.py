"""The victim: Twilio, which sends genuine webhooks at a constant rate and does not wait for the reply to the one before."""

import asyncio
import time
from collections import Counter
from typing import Final

from bench.load import webhooks
from bench.load.http_reply import is_whole, status_of

_GIVEN_UP_S: Final = 15.0


class Victim:
    """Sends webhooks to loopback port `port`.

    `statuses` are those of the replies, "" if there was none; `waits_s` is how long each took, in seconds.
    """

    def __init__(self, port: int, first: int = 1) -> None:
        self.statuses: Counter[str] = Counter()
        self.waits_s: list[float] = []
        self._port = port
        self._number = first

    async def send(self, rate: float, number: int) -> None:
        """Send `number` webhooks, `rate` of them each second, and wait for all replies."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(number):
                tasks.create_task(self._send_one(self._number))
                self._number += 1
                await asyncio.sleep(1 / rate)

    async def _send_one(self, number: int) -> None:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(_GIVEN_UP_S):
                status = await self._exchange(webhooks.request(number))
        except (OSError, TimeoutError):
            status = ""
        self.waits_s.append(time.perf_counter() - began)
        self.statuses[status] += 1

    async def _exchange(self, request: bytes) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(request)
            reply = b""
            while not is_whole(reply) and (more := await reader.read(65536)):
                reply += more
            return status_of(reply)
        finally:
            writer.close()

    @property
    def accepted(self) -> int:
        """The number of webhooks that were accepted."""
        return self.statuses["200"]

    def percentile(self, share: float) -> float:
        """Return the time in seconds within which `share` of the webhooks were answered."""
        waits = sorted(self.waits_s)
        return waits[min(len(waits) - 1, int(share * len(waits)))] if waits else 0.0
