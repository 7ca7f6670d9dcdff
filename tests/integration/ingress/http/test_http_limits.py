"""Connections that are too many or too slow, and connections while the server stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from hookline_shared.lifecycle.service import Supervisor
from tests.support.ingress.http_server import (
    LIMITS,
    ServerHarness,
    connections,
    request,
    served,
    wait_processed,
)
from tests.support.ingress.local_ingress import LocalIngress, ingress_settings, running_ingress
from tests.support.ingress.wire import connected
from tests.support.observability.logbook import Logbook
from tests.support.servers.ports import LOOPBACK
from tests.support.time.manual_clock import ManualClock
from tests.support.waiting import PATIENCE_S, until, until_answer

ON_UVLOOP = True

pytestmark = pytest.mark.timeout(method="thread")  # uvloop takes the exception of the other method for a callback's


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


@pytest.mark.parametrize("when", ["before", "after"])
async def test_half_a_request_does_not_hold_up_the_end(clock: ManualClock, logbook: Logbook, when: str) -> None:
    """What does not arrive soon after the service is told to stop is refused, long before its time would be up."""
    limits = LIMITS._replace(shutdown_s=PATIENCE_S, read_timeout_s=1000)
    harness, supervisor = ServerHarness(limits, clock, logbook), Supervisor(logbook.logger)
    harness.port = await harness.start(LOOPBACK, 0, supervisor)
    half = request("/half", body=b"body")[:-1]
    async with connected(harness.port) as wire:
        wire.send((half if when == "before" else b"") or request("/held"))
        await wait_processed(harness)
        stopping = asyncio.create_task(harness.stop())
        await asyncio.sleep(0)
        if when == "after":
            wire.send(request("/whole") + half)
            harness.go_on.set()
            assert (await wire.answer()).body == b"/held"
            assert (await wire.answer()).body == b"/whole"
        await clock.advance(3)
        assert (await wire.answer()).status == 408
        await wire.close()
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
