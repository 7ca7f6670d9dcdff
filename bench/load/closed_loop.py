"""The closed-loop load generator: webhooks over keep-alive connections, each sending its next one when the last is answered.

`python -m bench.load.closed_loop` is a separate process. It reads a `Plan` from standard input, builds all requests, checks the
first and the last with Twilio's own library, sends them, and writes an `Outcome` to standard output. Raw asyncio protocols over
uvloop keep its own cost low; the outcome includes that cost.
"""

import asyncio
import sys
import time
from typing import Any, Final, cast

import msgspec
import uvloop

from bench.load import webhooks
from bench.load.http_reply import is_whole, status_of
from bench.load.meter import Meter
from bench.load.plan import Outcome, Plan

_GRACE_S: Final = 2.0
_LOST: Final = "connection lost"
_UNANSWERED: Final = "no answer"
_BROKEN: Final = "error in the load generator itself"


class Load:
    """All connections of one run, and what they have left to send."""

    def __init__(self, plan: Plan) -> None:
        self.meter = Meter(plan)
        self._plan = plan
        self._requests = iter([webhooks.request(plan.first + index) for index in range(plan.requests)])
        self._open: set[Connection] = set()
        self._all_closed = asyncio.Event()

    async def run(self) -> Outcome:
        """Send until the time or the requests have ended and the last reply has come, or will not come any more."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._broken)
        for _ in range(self._plan.connections):
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", self._plan.port)
        loop.call_later(self._plan.lead_in_s, self.meter.begin)
        loop.call_later(self._plan.lead_in_s + self._plan.seconds, self.meter.end)
        try:
            async with asyncio.timeout(self._plan.lead_in_s + self._plan.seconds + _GRACE_S):
                await self._all_closed.wait()
        except TimeoutError:
            self.meter.end()
            self.meter.failures[_UNANSWERED] += len(self._open)
        return self.meter.outcome()

    def _broken(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Count an error in one of our callbacks as a failure."""
        self.meter.failures[_BROKEN] += 1
        loop.default_exception_handler(context)

    def next_request(self) -> bytes | None:
        """Return the next request for a connection, or None if it should close."""
        if self.meter.over:
            return None
        request = next(self._requests, None)
        if request is None:
            self.meter.end(ran_out=True)
        return request

    def opened(self, connection: "Connection") -> None:
        """Count an open connection."""
        self._open.add(connection)

    def closed(self, connection: "Connection") -> None:
        """Count a closed connection; after the last one, the run is over."""
        self._open.discard(connection)
        if not self._open:
            self.meter.end()
            self._all_closed.set()


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._reply = b""
        self._sent_at = 0.0
        self._waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is one without inheriting from it
        self._load.opened(self)
        self._send()

    def data_received(self, data: bytes) -> None:
        """Count the reply once it is whole, and send the next request."""
        reply = self._reply + data
        if is_whole(reply):
            self._reply, self._waiting = b"", False
            self._count(reply)
            self._send()
        else:
            self._reply = reply

    def connection_lost(self, _error: Exception | None) -> None:
        """Count the request that was under way as failed."""
        if self._waiting:
            self._load.meter.failures[_LOST] += 1
        self._load.closed(self)

    def _count(self, reply: bytes) -> None:
        meter = self._load.meter
        if not reply.startswith(b"HTTP/1.1 2"):
            meter.failures[status_of(reply)] += 1
        elif not meter.over:
            meter.latencies.append(time.perf_counter() - self._sent_at)

    def _send(self) -> None:
        request = self._load.next_request()
        if request is None:
            self._transport.close()
            return
        self._waiting = True
        self._sent_at = time.perf_counter()
        self._transport.write(request)


def main() -> None:
    """Run the plan on standard input."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    for number in (plan.first, plan.first + plan.requests - 1):
        if not webhooks.is_as_twilio_signs(number):
            sys.exit(f"message {number} is not signed as Twilio signs")
    try:
        outcome = uvloop.run(_run(plan))
    except OSError as error:
        sys.exit(f"port {plan.port} cannot be reached: {error}")
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


async def _run(plan: Plan) -> Outcome:
    return await Load(plan).run()


if __name__ == "__main__":
    main()
