"""Connections to the port that Twilio calls, byte by byte: how they begin, wait, are answered, and end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from hookline_ingress.http.connection import Connection
from hookline_ingress.http.request import Reply, Request
from hookline_ingress.http.server import ConnectionLimits, Server
from hookline_ingress.metrics import CONNECTIONS
from hookline_shared.lifecycle.service import Supervisor
from tests.support.local_ingress import LocalIngress, ingress_settings, running_ingress
from tests.support.logbook import Logbook
from tests.support.manual_clock import ManualClock
from tests.support.ports import LOOPBACK
from tests.support.waiting import PATIENCE_S, until, until_answer
from tests.support.wire import Wire, connected

ON_UVLOOP = True
pytestmark = pytest.mark.timeout(method="thread")  # uvloop takes the exception of the other method for a callback's

LIMITS = ConnectionLimits(read_timeout_s=10, keepalive_s=75, shutdown_s=5, connections=20, largest_body=1000, idle_grace_s=0)
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
        super().__init__(self._serve, lambda _target, _headers: BODY_LIMIT, limits, clock, logbook.logger)
        self.port = 0
        self.admitted: list[Connection] = []
        self.taken: list[str] = []
        self.go_on = asyncio.Event()

    def admit(self, connection: Connection) -> None:
        self.admitted.append(connection)
        super().admit(connection)

    async def _serve(self, request: Request) -> Reply:
        self.taken.append(request.target)
        if request.target == "/held":
            await self.go_on.wait()
        body = LARGE if request.target == "/large" else request.target.encode() + request.body
        return Reply(200, "text/xml", body)

    async def has_taken(self, number: int) -> None:
        """Wait until `number` requests are being answered, or have been."""
        await until(lambda: len(self.taken) >= number, f"{number} requests are taken")


@pytest.fixture
async def harness(clock: ManualClock, logbook: Logbook) -> AsyncIterator[ServerHarness]:
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


async def test_pipelined_requests_are_answered_in_order(harness: ServerHarness) -> None:
    """Many requests in one packet, the first of which takes long, are answered one by one, though no more can follow."""
    targets = ["/held", *(f"/{number}" for number in range(300))]
    async with connected(harness.port) as wire:
        wire.send(b"".join(request(target, body=b"!") for target in targets))
        wire.finish()
        await harness.has_taken(1)
        await wait_processed(harness)
        assert harness.taken == ["/held", "/"]
        harness.go_on.set()
        assert [(await wire.answer()).body.decode() for _ in targets] == [f"{target}!" for target in targets]
        assert await wire.rest() == b""


async def test_connection_is_used_again_until_it_idles(harness: ServerHarness, clock: ManualClock) -> None:
    """A connection serves request after request; it is closed, without a word, once none came for the keep-alive time."""
    async with connected(harness.port) as wire:
        for _ in range(3):
            await served(wire)
            await clock.advance(LIMITS.keepalive_s - 1)
        await clock.advance(2)
        assert await wire.rest() == b""


async def test_connection_without_a_request_is_closed(harness: ServerHarness, clock: ManualClock) -> None:
    """Who connects and says nothing is not waited for as long as who was served before."""
    async with connected(harness.port) as wire:
        await wait_processed(harness)
        await clock.advance(LIMITS.read_timeout_s + 1)
        assert await wire.rest() == b""


@pytest.mark.parametrize(
    "last",
    [
        request("/held", "Connection: close"),
        request("/held", version="1.0"),
        request("/held", "Connection: keep-alive", version="1.0"),
    ],
    ids=["Connection: close", "HTTP/1.0", "HTTP/1.0 keep-alive"],
)
async def test_last_request_of_a_connection(harness: ServerHarness, last: bytes) -> None:
    """Who wants no second answer gets none: the answer says so, and the connection ends, even if the client does not."""
    async with connected(harness.port) as wire:
        await served(wire)
        wire.send(last)
        await harness.has_taken(2)
        wire.send(request("/never"))
        await wait_processed(harness)
        harness.go_on.set()
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await wire.rest() == b""
    assert "/never" not in harness.taken


async def test_half_closed_connection_is_answered(harness: ServerHarness) -> None:
    """A client that has sent its request and shut its side still gets the answer, however long that takes."""
    async with connected(harness.port) as wire:
        wire.send(request("/held"))
        wire.finish()
        await harness.has_taken(1)
        await wait_processed(harness)
        harness.go_on.set()
        assert (await wire.answer()).body == b"/held"
        assert await wire.rest() == b""


async def test_body_in_pieces(harness: ServerHarness) -> None:
    """A body comes once the server says so, or in chunks and in packets of any size, and its trailer is no part of it."""
    async with connected(harness.port) as wire:
        wire.send(request("/waits", "Expect: 100-continue", "Content-Length: 3"))
        assert (await wire.answer()).status == 100
        wire.send(b"abc")
        assert (await wire.answer()).body == b"/waitsabc"
        for piece in (
            request("/chunks", "Transfer-Encoding: chunked"),
            b"3;x=y\r",
            b"\nab",
            b"c\r\n2\r\nde\r\n0\r\nX: y\r\n",
            b"\r\n",
        ):
            wire.send(piece)
            await wait_processed(harness)
        assert (await wire.answer()).body == b"/chunksabcde"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, id="TLS"),
        pytest.param(b"nonsense\r\n\r\n", 400, id="nonsense"),
        pytest.param(b"POST http://][@ HTTP/1.1\r\nHost: h\r\n\r\n", 400, id="URL on which yarl fails"),
        pytest.param(b"CONNECT \n!:\r\n\r\n", 400, id="CONNECT to nowhere"),
        pytest.param(b"POST / HTTP/1.1\r\n\r\n", 400, id="no host"),
        pytest.param(request("/" + "x" * 9000), 400, id="long target"),
        pytest.param(request("/", "X: " + "x" * 9000), 400, id="long header"),
        pytest.param(request("/", "X"), 400, id="header without a colon"),
        pytest.param(request("/", *[f"X{number}: 1" for number in range(200)]), 400, id="many headers"),
        pytest.param(request("/", "Content-Length: -1"), 400, id="negative length"),
        pytest.param(request("/", "Content-Length: 3", "Transfer-Encoding: chunked"), 400, id="two lengths"),
        pytest.param(request("/", "Transfer-Encoding: chunked", body=b"zz\r\n"), 400, id="no chunk"),
        pytest.param(request("/", f"Content-Length: {BODY_LIMIT + 1}"), 413, id="long body"),
        pytest.param(request("/", f"Content-Length: {2**63}"), 413, id="endless body"),
        pytest.param(request("/", f"Content-Length: {'0' * 5000}{BODY_LIMIT + 1}"), 413, id="length of 5000 digits"),
        pytest.param(request("/", "Transfer-Encoding: chunked", body=b"1f5\r\n" + b"x" * 501), 413, id="long chunk"),
    ],
)
async def test_what_can_never_be_answered_is_refused(harness: ServerHarness, data: bytes, status: int) -> None:
    """What is no request, or is too large, is refused as soon as that is plain, at the cost of its connection alone."""
    async with connected(harness.port) as wire:
        wire.send(data)
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"], answer.body) == (status, "close", b"")
        wire.send(b"x" * 100_000)  # it is not reset while it still sends, which could lose the answer
        wire.finish()
        assert await wire.rest() == b""
        await wait_processed(harness)
    assert harness.taken == ["/"]


async def test_oldest_that_waits_makes_room(harness: ServerHarness, clock: ManualClock) -> None:
    """At the limit, a new connection costs those that wait longest theirs, whatever they wait for, and none its answer."""
    async with AsyncExitStack() as stack:
        held, unused, reading, idle = [await stack.enter_async_context(connected(harness.port)) for _ in range(4)]
        held.send(request("/held"))
        await harness.has_taken(1)
        await clock.advance(1)
        reading.send(request("/", "Content-Length: 3", "Expect: 100-continue"))
        assert (await reading.answer()).status == 100
        await clock.advance(1)
        await served(idle)
        await clock.advance(1)
        busy = [await stack.enter_async_context(connected(harness.port)) for _ in range(LIMITS.connections - 4)]
        for wire in busy:
            wire.send(request("/held"))
        await harness.has_taken(2 + len(busy))
        first = await stack.enter_async_context(connected(harness.port))  # a tenth of all has to go: two
        await served(first)
        assert await unused.rest() == b""
        assert (await reading.answer()).status == 408
        await reading.close()
        await until(lambda: connections() == LIMITS.connections - 1, "both are gone")
        await clock.advance(1)
        await served(await stack.enter_async_context(connected(harness.port)))
        second = await stack.enter_async_context(connected(harness.port))
        await served(second)
        assert await idle.rest() == await first.rest() == b""
        harness.go_on.set()
        for wire in (held, *busy):
            assert (await wire.answer()).body == b"/held", "an answering connection is never cut off"
        await served(second)


async def test_no_room_at_all(harness: ServerHarness) -> None:
    """While every connection is being answered, a new one is turned away, and the limit holds."""
    async with AsyncExitStack() as stack:
        busy = [await stack.enter_async_context(connected(harness.port)) for _ in range(LIMITS.connections)]
        for wire in busy:
            wire.send(request("/held"))
        await harness.has_taken(len(busy))
        assert await (await stack.enter_async_context(connected(harness.port))).rest() == b""
        harness.go_on.set()
        assert {(await wire.answer()).body for wire in busy} == {b"/held"}


async def test_stop_answers_what_is_under_way(harness: ServerHarness) -> None:
    """At shutdown, requests that are there, also pipelined ones, or come as a whole in time are answered; the rest ends."""
    async with AsyncExitStack() as stack:
        unused, idle, held, reading = [await stack.enter_async_context(connected(harness.port)) for _ in range(4)]
        await served(idle)
        held.send(request("/held") + request("/next"))
        reading.send(request("/late", "Content-Length: 3", "Expect: 100-continue"))
        assert (await reading.answer()).status == 100
        await harness.has_taken(2)
        stopping = asyncio.create_task(harness.stop())
        assert await unused.rest() == await idle.rest() == b""
        with pytest.raises(ConnectionError):
            await stack.enter_async_context(connected(harness.port))
        reading.send(b"abc")
        harness.go_on.set()
        for wire, bodies in ((held, [b"/held", b"/next"]), (reading, [b"/lateabc"])):
            answers = [await wire.answer() for _ in bodies]
            assert [answer.body for answer in answers] == bodies
            assert answers[-1].headers["connection"] == "close"
            await wire.close()
        await stopping


async def test_request_that_crosses_the_end_is_answered(clock: ManualClock, logbook: Logbook) -> None:
    """A client that kept its connection cannot know that the service stops: its next request is answered, as the last."""
    limits = LIMITS._replace(shutdown_s=PATIENCE_S, idle_grace_s=PATIENCE_S)
    harness, supervisor = ServerHarness(limits, clock, logbook), Supervisor(logbook.logger)
    harness.port = await harness.start(LOOPBACK, 0, supervisor)
    async with connected(harness.port) as wire:
        await served(wire)
        stopping = asyncio.create_task(harness.stop())
        await asyncio.sleep(0)
        wire.send(request("/crossing"))
        answer = await wire.answer()
        assert (answer.status, answer.body, answer.headers["connection"]) == (200, b"/crossing", "close")
    await stopping
    await supervisor.close()


async def test_vanished_clients_leave_nothing(harness: ServerHarness) -> None:
    """Clients whose connection breaks off while they wait, send, or are answered leave no connection behind."""
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(connected(harness.port)) for _ in range(5)]
        for wire, sent in zip(
            wires, (b"", b"POST / HT", request("/", "Content-Length: 9"), request("/held"), b"\0"), strict=True
        ):
            wire.send(sent)
        await harness.has_taken(1)
        await wait_processed(harness)
        for wire in wires:
            wire.abort()
        await until(lambda: connections() == 0, "all are gone")
        harness.go_on.set()


async def test_client_that_never_reads_is_got_rid_of(harness: ServerHarness, clock: ManualClock) -> None:
    """What a client does not take cannot keep its connection open for ever, nor can it pile up."""
    async with connected(harness.port, receive_buffer=4096) as wire:
        await wait_processed(harness)
        connection = harness.admitted[0]
        while connection.transport is not None and not connection.transport.get_write_buffer_size():
            wire.send(request("/large"))
            await harness.has_taken(len(harness.taken) + 1)
            await wait_processed(harness)
        assert connection.transport is not None
        await clock.advance(LIMITS.keepalive_s + 1)
        await until(lambda: connections() == 0, "it is gone")


@pytest.fixture
async def impatient(redis_url: str) -> AsyncIterator[LocalIngress]:
    """Yield a whole ingress that waits for nobody."""
    times = {"INGRESS_READ_TIMEOUT_S": "0.5", "INGRESS_KEEPALIVE_S": "0.5", "INGRESS_MAX_CONNECTIONS": "10"}
    async with running_ingress(ingress_settings(redis_url) | times) as ingress:
        yield ingress


@pytest.mark.parametrize(
    "sent", [b"POST /tw", b"POST /twilio HTTP/1.1\r\nHost: h\r\nContent-Length: 9999\r\n\r\n"], ids=["head", "body"]
)
async def test_slow_request_is_given_up(impatient: LocalIngress, sent: bytes) -> None:
    """A request has to come within its time, however diligently a client sends byte after byte."""
    async with connected(impatient.port) as wire:
        wire.send(sent)
        answering = asyncio.create_task(wire.answer())

        async def trickle() -> bool:
            wire.send(b"x")
            return answering.done()

        await until_answer(trickle, bool, "it is given up")
        assert ((await answering).status, (await answering).headers["connection"]) == (408, "close")
    async with connected(impatient.port) as wire:
        wire.send(request("/twilio"))
        assert (await wire.answer()).status == 403
        assert await wire.rest() == b"", "and idle ones are closed after theirs"


async def test_limit_of_connections_is_a_setting(impatient: LocalIngress) -> None:
    """Of more connections than there may be, the first ones end, long before they idle too long."""
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(connected(impatient.port)) for _ in range(30)]
        assert await asyncio.gather(*(wire.rest() for wire in wires[:20])) == [b""] * 20
        wires[-1].send(request("/twilio"))
        assert (await wires[-1].answer()).status == 403
