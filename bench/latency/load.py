"""The open load: every webhook has its time, and its latency counts from that time on, sent or not.

That is what corrects for coordinated omission: while the server stalls, those that are due wait for a connection, and that is
measured. `python -m bench.latency.load` is a process of its own; it reads an `OpenPlan` and writes an `OpenOutcome`.
"""

import asyncio
import sys
import time
from collections import Counter, deque
from math import inf
from typing import Final, cast

import msgspec
import uvloop
from hdrh.histogram import HdrHistogram

from bench.latency.plan import TWILIO_LIMIT_S, OpenOutcome, OpenPlan
from bench.latency.tally import Tally
from bench.load import webhooks
from bench.load.http_reply import is_whole, status_of

MOST_US: Final = 60_000_000
DIGITS: Final = 3
_TICK_S: Final = 0.001
_RECONNECT_S: Final = 0.05


class OpenLoad:
    """Sends what is due over whichever connection is free."""

    def __init__(self, plan: OpenPlan) -> None:
        self._plan = plan
        self._count = int(plan.rate * (plan.lead_in_s + plan.seconds))
        self._requests = [webhooks.request(plan.first + index) for index in range(self._count)]
        self._from_due, self._from_sent = (HdrHistogram(1, MOST_US, DIGITS) for _ in range(2))
        self._failures: Counter[str] = Counter()
        self._open: set[Lane] = set()
        self._free: deque[Lane] = deque()
        self._sent = self._ended = self._answered = 0
        self._late = 0.0
        self._began = inf
        self._acknowledged: list[int] = []
        self._tally = Tally(plan.rate, self._count, TWILIO_LIMIT_S)
        self._connecting: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()

    async def run(self) -> OpenOutcome:
        """Send everything, and wait for the answers."""
        loop = asyncio.get_running_loop()
        for _ in range(self._plan.connections):
            await self._connect()
        self._began_at = time.time()
        self._began = self._last_answer = time.perf_counter()
        sender = loop.create_task(self._send_all())
        try:
            async with asyncio.timeout(self._plan.lead_in_s + self._plan.seconds + self._plan.grace_s):
                await self._over.wait()
        except TimeoutError:
            self._failures["no answer"] += self._count - self._ended
        sender.cancel()
        return OpenOutcome(
            answered=self._answered,
            failures=dict(self._failures),
            histogram=self._from_due.encode().decode(),
            histogram_from_sent=self._from_sent.encode().decode(),
            late_ms=self._late * 1000,
            acknowledged=self._acknowledged,
            began_at=self._began_at,
            took_s=self._last_answer - self._began,
            by_second=self._tally.by_second(),
        )

    async def _connect(self) -> None:
        """Open a connection, however often it takes."""
        while True:
            try:
                await asyncio.get_running_loop().create_connection(lambda: Lane(self), "127.0.0.1", self._plan.port)
            except OSError:
                self._refuse_due()
                await asyncio.sleep(_RECONNECT_S)
            else:
                return

    def _refuse_due(self) -> None:
        """Where nobody listens and no connection is left, give up what is due, as Twilio does after its one immediate retry."""
        while not self._open and self._sent < self._count and self._due(self._sent) <= time.perf_counter():
            self._fail(self._sent, "connection refused")
            self._sent += 1
            self._end_one()

    def opened(self, lane: "Lane") -> None:
        """Take a new connection."""
        self._open.add(lane)
        self.ready(lane)

    def ready(self, lane: "Lane") -> None:
        """Take a connection that has nothing under way."""
        lane.free_since = time.perf_counter()
        self._free.append(lane)

    def free(self, lane: "Lane") -> None:
        """Take back a connection, and use it at once if something is due."""
        self.ready(lane)
        self._send_due()

    def answered(self, number: int, reply: bytes, sent_at: float) -> None:
        """Count the answer to request `number`."""
        self._last_answer = now = time.perf_counter()
        seconds = now - self._due(number)
        if reply.startswith(b"HTTP/1.1 2"):
            self._acknowledge(number, seconds, now - sent_at)
        else:
            self._fail(number, status_of(reply))
        self._end_one()

    def lost(self, lane: "Lane", number: int | None) -> None:
        """Open another connection for one that broke, and count the request that was under way on it."""
        self._open.discard(lane)
        if lane in self._free:
            self._free.remove(lane)
        if number is not None:
            self._fail(number, "connection lost")
            self._end_one()
        if not self._over.is_set():
            self._connecting.add(task := asyncio.get_running_loop().create_task(self._connect()))
            task.add_done_callback(self._connecting.discard)

    def _acknowledge(self, number: int, from_due_s: float, from_sent_s: float) -> None:
        self._acknowledged.append(self._plan.first + number)
        self._tally.accepted(number, from_due_s)
        if number >= self._plan.rate * self._plan.lead_in_s:
            self._answered += 1
            self._from_due.record_value(_in_us(from_due_s))
            self._from_sent.record_value(_in_us(from_sent_s))

    def _fail(self, number: int, how: str) -> None:
        self._failures[how] += 1
        self._tally.failed(number)

    def _end_one(self) -> None:
        self._ended += 1
        if self._ended == self._count:
            self._over.set()

    def _due(self, number: int) -> float:
        return self._began + number / self._plan.rate

    async def _send_all(self) -> None:
        while self._sent < self._count:
            self._send_due()
            left_s = self._due(self._sent) - time.perf_counter()  # below 0: no connection is free, and the next one will send
            await asyncio.sleep(min(_TICK_S, left_s) if left_s > 0 else _TICK_S)

    def _send_due(self) -> None:
        now = time.perf_counter()
        while self._free and self._sent < self._count and self._due(self._sent) <= now:
            lane = self._free.popleft()
            self._late = max(self._late, now - max(self._due(self._sent), lane.free_since))
            lane.send(self._sent, self._requests[self._sent])
            self._sent += 1


def _in_us(seconds: float) -> int:
    return min(MOST_US, max(1, int(seconds * 1e6)))


class Lane(asyncio.Protocol):
    """One keep-alive connection with at most one request under way. Between two, it is free since `free_since`."""

    def __init__(self, load: OpenLoad) -> None:
        self.free_since = 0.0
        self._load = load
        self._reply = b""
        self._number: int | None = None
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Offer itself."""
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is one without inheriting from it
        self._load.opened(self)

    def send(self, number: int, request: bytes) -> None:
        """Send request `number`."""
        self._number = number
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Hand on the reply once it is whole."""
        self._reply += data
        if self._number is not None and is_whole(self._reply):
            reply, number = self._reply, self._number
            self._reply, self._number = b"", None
            self._load.answered(number, reply, self._sent_at)
            self._load.free(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """Report the request that was in progress."""
        self._load.lost(self, self._number)


def main() -> None:
    """Run the plan on standard input."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=OpenPlan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_run(plan))))


async def _run(plan: OpenPlan) -> OpenOutcome:
    return await OpenLoad(plan).run()


if __name__ == "__main__":
    main()
