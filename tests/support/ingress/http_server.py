"""The server of ingress alone, with a handler of its own, and what a test sends to it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from hookline_ingress.http.connection import Connection
from hookline_ingress.http.request import Arrived, Reply, Request, Respond
from hookline_ingress.http.server import ConnectionLimits, Server
from hookline_ingress.metrics import CONNECTIONS
from hookline_shared.lifecycle.service import Supervisor
from tests.support.ingress.wire import Wire, connected
from tests.support.observability.logbook import Logbook
from tests.support.servers.ports import LOOPBACK
from tests.support.time.manual_clock import ManualClock
from tests.support.waiting import until

LIMITS = ConnectionLimits(read_timeout_s=10, keepalive_s=75, shutdown_s=5, connections=20, memory=20_000, idle_grace_s=0)
BODY_LIMIT = 500
LARGE = b"x" * 50_000


def request(target: str = "/", *headers: str, body: bytes = b"", version: str = "1.1") -> bytes:
    """Return a POST on the wire. It says how long `body` is, unless `headers` do."""
    told = any(header.startswith(("Content-Length", "Transfer-Encoding")) for header in headers)
    length = () if told else (f"Content-Length: {len(body)}",)
    return "\r\n".join([f"POST {target} HTTP/{version}", "Host: h", *length, *headers, "", ""]).encode() + body


class ServerHarness(Server):
    """The real server. It answers each request with its target and body, those to /held when told, and /large with much."""

    def __init__(self, limits: ConnectionLimits, clock: ManualClock, logbook: Logbook) -> None:
        super().__init__(self._serve_all, lambda _target, _headers: BODY_LIMIT, limits, clock, logbook.logger)
        self.port = 0
        self.admitted: list[Connection] = []
        self.taken: list[str] = []
        self.together: list[int] = []
        self.given_up = 0
        self.go_on = asyncio.Event()
        self._held: set[asyncio.Task[None]] = set()

    def admit(self, connection: Connection) -> None:
        self.admitted.append(connection)
        super().admit(connection)

    def _serve_all(self, arrived: Sequence[Arrived]) -> None:
        self.together.append(len(arrived))
        for request, respond in arrived:
            self._serve(request, respond)

    def _serve(self, request: Request, respond: Respond) -> None:
        self.taken.append(request.target)
        body = LARGE if request.target == "/large" else request.target.encode() + request.body
        reply = Reply(200, "text/xml", body)
        if request.target == "/held":
            held = asyncio.create_task(self._hold(reply, respond))
            self._held.add(held)
            held.add_done_callback(self._held.discard)
        else:
            respond(reply)

    async def _hold(self, reply: Reply, respond: Respond) -> None:
        await self.go_on.wait()
        respond(reply)

    def _warn_of_memory(self) -> None:
        self.given_up += 1

    async def has_taken(self, number: int) -> None:
        """Wait until `number` requests are being answered, or have been."""
        await until(lambda: len(self.taken) >= number, f"{number} requests are taken")


@asynccontextmanager
async def listening_harness(clock: ManualClock, logbook: Logbook) -> AsyncIterator[ServerHarness]:
    """Yield a server that listens, and see that it leaves neither a connection nor a word in the log."""
    harness, supervisor = ServerHarness(LIMITS, clock, logbook), Supervisor(logbook.logger)
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    harness.port = await harness.start(LOOPBACK, 0, supervisor)
    try:
        yield harness
        harness.go_on.set()
        await until(lambda: connections() == 0, "every connection has ended")
        assert supervisor.failure is None
        assert logbook.lines == complaints == []
    finally:
        await harness.stop()
        await supervisor.close()


def connections() -> float:
    """Return the value of the gauge."""
    (metric,) = CONNECTIONS.collect()
    return metric.samples[0].value


async def served(wire: Wire, target: str = "/") -> None:
    """Have one request answered."""
    wire.send(request(target))
    assert (await wire.answer()).body == target.encode()


async def wait_processed(harness: ServerHarness) -> None:
    """Wait until the server has seen everything that was sent before."""
    async with connected(harness.port) as other:
        await served(other)
