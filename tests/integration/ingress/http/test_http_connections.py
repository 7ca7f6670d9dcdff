"""Connections to the port that Twilio calls, byte by byte: how they begin, wait, are answered, and end."""

import asyncio
import re

import pytest

from hookline_ingress.http.connection import Connection
from tests.support.ingress.http_server import (
    BODY_LIMIT,
    LIMITS,
    ServerHarness,
    request,
    served,
    wait_processed,
)
from tests.support.ingress.wire import connected
from tests.support.time.manual_clock import ManualClock
from tests.support.waiting import until

ON_UVLOOP = True

pytestmark = pytest.mark.timeout(method="thread")  # uvloop takes the exception of the other method for a callback's


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
        pytest.param(b"\r\n" * 131_072, 400, id="empty lines"),
        pytest.param(b"POST http://][@ HTTP/1.1\r\nHost: h\r\n\r\n", 400, id="URL on which yarl fails"),
        pytest.param(b"CONNECT \n!:\r\n\r\n", 400, id="CONNECT to nowhere"),
        pytest.param(b"POST / HTTP/1.1\r\n\r\n", 400, id="no host"),
        pytest.param(request("/" + "x" * 70_000), 431, id="long target"),
        pytest.param(request("/", "X: " + "x" * 70_000), 431, id="long header"),
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


class Client(asyncio.Transport):
    """The other end of a connection. It keeps what it is sent, and goes on sending when it should not."""

    def __init__(self) -> None:
        super().__init__()
        self.received = b""
        self.is_paused = False

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.received += data

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


async def test_data_between_two_pipelined_requests(harness: ServerHarness) -> None:
    """Data that comes after a reply, just before the next request is read, has no two requests answered at once."""

    connection, client = Connection(harness), Client()
    connection.connection_made(client)
    connection.data_received(request("/first") + request("/held"))
    if not harness.taken:  # before Python 3.12, an answer begins in the next iteration
        await asyncio.sleep(0)
    connection.data_received(request("/last"))
    await harness.has_taken(2)
    await wait_processed(harness)
    assert harness.taken == ["/first", "/held", "/"]
    harness.go_on.set()
    await until(lambda: b"/last" in client.received, "the last one is answered")
    assert re.findall(rb"\r\n\r\n(/\w+?)(?=HTTP|\Z)", client.received) == [b"/first", b"/held", b"/last"]
    connection.connection_lost(None)


async def test_empty_lines_drop_by_drop(harness: ServerHarness) -> None:
    """Empty lines are counted over all packets, and from the beginning once a request has come."""
    async with connected(harness.port) as wire:
        for _ in range(3):
            wire.send(b"\r\n" * 32)
            await wait_processed(harness)
            await served(wire)
        for _ in range(33):
            wire.send(b"\r\n")
            await wait_processed(harness)
        assert (await wire.answer()).status == 400


async def test_no_more_is_read_than_is_answered(harness: ServerHarness) -> None:
    """A client that sends without end is not read from while whole requests of it are unanswered."""
    connection, client = Connection(harness), Client()
    connection.connection_made(client)
    for _ in range(10):
        connection.data_received(request("/again") * 10)
    assert (client.is_paused, len(harness.taken) <= 1) == (True, True)
    await until(lambda: client.received.count(b"HTTP/1.1") == 100, "all are answered")
    assert not client.is_paused
    connection.connection_lost(None)


@pytest.mark.parametrize(
    ("expect", "version"), [("100-continue", "1.0"), ("anything", "1.1")], ids=["HTTP/1.0", "another expectation"]
)
async def test_client_that_does_not_wait(harness: ServerHarness, expect: str, version: str) -> None:
    """A client that knows no 100 Continue, or expects something else, gets the answer alone."""
    async with connected(harness.port) as wire:
        wire.send(request("/waits", f"Expect: {expect}", "Content-Length: 3", version=version))
        await wait_processed(harness)
        wire.send(b"abc")
        assert (await wire.answer()).body == b"/waitsabc"


async def test_client_is_told_to_continue_once(harness: ServerHarness) -> None:
    """However slowly a body comes that a client asked about, the answer is not repeated."""
    async with connected(harness.port) as wire:
        wire.send(request("/slow", "Expect: 100-continue", "Transfer-Encoding: chunked"))
        assert (await wire.answer()).status == 100
        for piece in (b"1", b"\r", b"\n", b"x\r\n"):
            wire.send(piece)
            await wait_processed(harness)
        wire.send(b"0\r\n\r\n")
        assert (await wire.answer()).body == b"/slowx"


@pytest.mark.parametrize("half", [b"PO", request("/half", body=b"body")[:-1]], ids=["head", "body"])
async def test_half_request_behind_another_has_no_more_time(harness: ServerHarness, clock: ManualClock, half: bytes) -> None:
    """What came with the request before is a request that is being read, not an idle connection."""
    async with connected(harness.port) as wire:
        wire.send(request("/first") + half)
        assert (await wire.answer()).body == b"/first"
        await wait_processed(harness)
        await clock.advance(LIMITS.read_timeout_s + 1)
        assert (await wire.answer()).status == 408


async def test_no_body_is_read_for_a_path_that_is_not_there(harness: ServerHarness) -> None:
    """A body that nobody wants is refused with the head that announces it, whatever its length."""
    harness.body_limit = lambda _target, _headers: None
    for framing in ("Content-Length: 3", "Transfer-Encoding: chunked"):
        async with connected(harness.port) as wire:
            wire.send(request("/nowhere", framing, "Expect: 100-continue"))
            answer = await wire.answer()
            assert (answer.status, answer.headers["connection"]) == (404, "close")
    assert harness.taken == []
