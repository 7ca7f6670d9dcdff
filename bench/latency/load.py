"""The open load: every webhook has its time, and its latency counts from that time on, sent or not.

That is what corrects for coordinated omission: while the server stalls, those that are due wait for a connection, and that is
measured. `python -m bench.latency.load` is a process of its own; it reads an `OpenPlan` and writes an `OpenOutcome`.
"""

import asyncio
import sys
import time
from collections import Counter, deque
from typing import Final, cast

import msgspec
import uvloop
from hdrh.histogram import HdrHistogram

from bench import webhooks
from bench.http_reply import is_whole, status_of
from bench.latency.plan import OpenOutcome, OpenPlan

MOST_US: Final = 60_000_000
DIGITS: Final = 3
_GRACE_S: Final = 5.0
_TICK_S: Final = 0.001


class OpenLoad:
    """Sends what is due over whichever connection is free."""

    def __init__(self, plan: OpenPlan) -> None:
        self._plan = plan
        self._count = int(plan.rate * (plan.lead_in_s + plan.seconds))
        self._requests = [webhooks.request(plan.first + index) for index in range(self._count)]
        self._histogram = HdrHistogram(1, MOST_US, DIGITS)
        self._failures: Counter[str] = Counter()
        self._free: deque[Lane] = deque()
        self._sent = self._ended = self._answered = 0
        self._late = 0.0
        self._over = asyncio.Event()

    async def run(self) -> OpenOutcome:
        """Send everything, and wait for the answers."""
        loop = asyncio.get_running_loop()
        for _ in range(self._plan.connections):
            await loop.create_connection(lambda: Lane(self), "127.0.0.1", self._plan.port)
        self._began = time.perf_counter()
        sender = loop.create_task(self._send_all())
        try:
            async with asyncio.timeout(self._plan.lead_in_s + self._plan.seconds + _GRACE_S):
                await self._over.wait()
        except TimeoutError:
            self._failures["no answer"] += self._count - self._ended
        sender.cancel()
        encoded = self._histogram.encode().decode()
        return OpenOutcome(answered=self._answered, failures=dict(self._failures), histogram=encoded, late_ms=self._late * 1000)

    def ready(self, lane: "Lane") -> None:
        """Take a new connection."""
        self._free.append(lane)

    def free(self, lane: "Lane") -> None:
        """Take back a connection, and use it at once if something is due."""
        self._free.append(lane)
        self._send_due()

    def answered(self, number: int, reply: bytes) -> None:
        """Count the answer to request `number`."""
        self._ended += 1
        if not reply.startswith(b"HTTP/1.1 2"):
            self._failures[status_of(reply)] += 1
        elif number >= self._plan.rate * self._plan.lead_in_s:
            self._answered += 1
            self._histogram.record_value(min(MOST_US, max(1, int((time.perf_counter() - self._due(number)) * 1e6))))
        if self._ended == self._count:
            self._over.set()

    def lost(self) -> None:
        """Count a request whose connection broke."""
        self._ended += 1
        self._failures["connection lost"] += 1

    def _due(self, number: int) -> float:
        return self._began + number / self._plan.rate

    async def _send_all(self) -> None:
        while self._sent < self._count:
            self._send_due()
            await asyncio.sleep(min(_TICK_S, max(0.0, self._due(self._sent) - time.perf_counter())))

    def _send_due(self) -> None:
        now = time.perf_counter()
        while self._free and self._sent < self._count and self._due(self._sent) <= now:
            self._late = max(self._late, now - self._due(self._sent))
            self._free.popleft().send(self._sent, self._requests[self._sent])
            self._sent += 1


class Lane(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self, load: OpenLoad) -> None:
        self._load = load
        self._reply = b""
        self._number: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Offer itself."""
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is one without inheriting from it
        self._load.ready(self)

    def send(self, number: int, request: bytes) -> None:
        """Send request `number`."""
        self._number = number
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Hand on the reply once it is whole."""
        self._reply += data
        if self._number is not None and is_whole(self._reply):
            reply, number = self._reply, self._number
            self._reply, self._number = b"", None
            self._load.answered(number, reply)
            self._load.free(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """Tell of the request that was under way."""
        if self._number is not None:
            self._load.lost()


def main() -> None:
    """Do as standard input says."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=OpenPlan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_run(plan))))


async def _run(plan: OpenPlan) -> OpenOutcome:
    return await OpenLoad(plan).run()


if __name__ == "__main__":
    main()
