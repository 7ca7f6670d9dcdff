"""One HTTP connection: aiohttp's parser in front, one request at a time, each answered with bytes that are written at once.

    waiting    nothing of a request has arrived
    reading    a part of one has arrived
    answering  one has arrived as a whole, and a task handles it; bytes that arrive meanwhile wait
    ending     the last reply is written; bytes that still arrive are dropped, so that the client can read the reply

aiohttp's own request handler keeps a task for each connection, and creates a payload writer and a dozen other objects for each
request that a webhook does not need. Without them a request costs half, and thousands of slow connections cost little
(docs/decisions.md).
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Mapping
from http import HTTPStatus
from math import inf
from time import time
from typing import Any, Final, Protocol

from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser, HttpVersion11, RawRequestMessage
from aiohttp.web import RequestPayloadError

from hookline_ingress.http.replies import refused, wire
from hookline_ingress.http.request import Reply, Request
from hookline_ingress.metrics import REQUEST_SECONDS, STAGE_SECONDS
from hookline_shared.clock import Clock

_PIPELINED: Final = 16
"""Requests that are parsed ahead; neither Twilio nor a usual proxy sends one before it has the reply to the previous one."""
_LINGER_S: Final = 2.0
_AT_ONCE: Final[dict[str, Any]] = {"eager_start": True} if sys.version_info >= (3, 12) else {}
"""Run a task at once until its first await, instead of in the next iteration of the event loop."""
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Server(Protocol):
    """The parts of the server that a connection uses. Times are in seconds, sizes in bytes."""

    loop: asyncio.AbstractEventLoop
    clock: Clock
    body_limit: Callable[[str, Mapping[str, str]], int]
    read_timeout_s: float
    keepalive_s: float
    largest_body: int

    def admit(self, connection: "Connection") -> None:
        """Register a new connection."""
        ...

    def dismiss(self, connection: "Connection") -> None:
        """Unregister a connection that has ended."""
        ...

    async def answer(self, request: Request) -> Reply:
        """Return the reply to `request`."""
        ...

    def count_refusal(self, status: int, outcome: str) -> None:
        """Count the response to bytes that never became a request."""
        ...


class Connection(BaseProtocol):
    """One connection of `server`. In seconds on the server's clock, `deadline` is when it expires, infinite while it is
    answering, and `since` is when it began to wait or to read."""

    __slots__ = (
        "_answering",
        "_began",
        "_closing",
        "_ending",
        "_input_paused",
        "_malformed",
        "_peer",
        "_peer_closed",
        "_requests",
        "_server",
        "deadline",
        "since",
    )

    def __init__(self, server: Server) -> None:
        parser = HttpRequestParser(
            self,
            server.loop,
            server.largest_body,
            payload_exception=RequestPayloadError,
            auto_decompress=False,  # a compressed body could grow past every limit; Twilio sends none
            max_msg_queue_size=_PIPELINED,
        )
        super().__init__(server.loop, parser)
        self._server = server
        self._requests: deque[tuple[RawRequestMessage, StreamReader]] = deque()
        self._answering: asyncio.Task[None] | None = None
        self._began: float | None = None
        self._peer = ""
        self._malformed = False
        self._input_paused = False
        self._closing = False
        self._ending = False
        self._peer_closed = False
        self.deadline = inf
        self.since = 0.0

    def read(self, data: bytes) -> tuple[Request, bool]:
        """Read `data`, one whole request, without a transport; return the request, and whether the connection may stay open.

        Raises:
            ValueError: if the body was not read.

        """
        assert self._parser is not None  # noqa: S101 - it was built with one
        self._began = 0.0
        self._requests.extend(self._parser.feed_data(data)[0])
        _, payload = self._requests[0]
        if payload.exception() is not None or not payload.is_eof() or not payload.total_bytes:
            raise ValueError("the body was not read")
        return self._take_request()

    @property
    def is_busy(self) -> bool:
        """Whether a request is being read or answered, or is next."""
        return self._answering is not None or self._began is not None or bool(self._requests)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request, which must arrive within the time limit for reading."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if isinstance(peer, tuple) else ""
        self.since = self._server.clock.monotonic()
        self.deadline = self.since + self._server.read_timeout_s
        self._server.admit(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Drop everything but the request that is being answered: its events are written all the same."""
        super().connection_lost(exc)
        self._server.dismiss(self)
        self._requests.clear()
        self._parser = None

    def pause_reading(self) -> None:
        """Do nothing: a body is bounded, so the parser need not wait until it is read."""

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Do nothing, as `pause_reading`."""

    def pause_writing(self) -> None:
        """Abort the connection of a client that sends requests and does not read the replies."""
        if self.transport is not None:
            self.transport.abort()

    def resume_writing(self) -> None:
        """Do nothing: `pause_writing` aborted the connection."""

    def eof_received(self) -> bool:
        """Answer the requests that have arrived; return whether the connection is still needed for that."""
        self._closing = self._peer_closed = True
        return self._answering is not None or bool(self._requests and self._requests[0][1].is_eof())

    def data_received(self, data: bytes) -> None:
        """Parse `data`; if it is empty, process the bytes that have arrived before."""
        if self._ending or self._parser is None:
            return
        if self._began is None:
            self._began = self.since = self._server.clock.monotonic()
            self.deadline = self._began + self._server.read_timeout_s
        try:
            messages, upgraded, _ = self._parser.feed_data(data)
        except Exception:  # noqa: BLE001 - not only of the parser: "POST http://][@" is an IndexError of what splits URLs
            messages, upgraded = [], True
        self._requests.extend(messages)
        self._malformed = self._malformed or upgraded
        if self._answering is None:
            self._process_next()
        elif not self._input_paused and self.transport is not None:
            self._input_paused = True
            self.transport.pause_reading()

    def _process_next(self) -> None:
        """Answer the oldest request if it has arrived as a whole, or refuse bytes that cannot become a request."""
        if not self._requests:
            if self._malformed:
                self._refuse(HTTPStatus.BAD_REQUEST, "malformed")
            return
        message, payload = self._requests[0]
        if payload.exception() is not None or not message.path:  # of a CONNECT to nowhere, there is none
            self._refuse(HTTPStatus.BAD_REQUEST, "malformed")
        elif payload.is_eof():
            self._answer_next()
        elif self._malformed:
            self._refuse(HTTPStatus.BAD_REQUEST, "malformed")
        else:
            self._expect_more(message, payload)

    def _expect_more(self, message: RawRequestMessage, payload: StreamReader) -> None:
        announced = int(message.headers.get("Content-Length", "").lstrip("0") or "0")  # of 5000 zeros, int() would complain
        if max(announced, payload.total_bytes) > self._server.body_limit(message.path, message.headers):
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large")
        elif not payload.total_bytes and "Expect" in message.headers and self.transport is not None:
            self.transport.write(_CONTINUE)

    def _answer_next(self) -> None:
        request, keep_open = self._take_request()
        self.deadline = inf
        task = asyncio.Task(self._answer(request, keep_open=keep_open), loop=self._loop, **_AT_ONCE)
        self._answering = None if task.done() else task

    def _take_request(self) -> tuple[Request, bool]:
        """Remove the oldest request, which has arrived as a whole; return it, and whether the client may send another one."""
        message, payload = self._requests.popleft()
        assert self._parser is not None  # noqa: S101 - there is one as long as data comes
        assert self._began is not None  # noqa: S101 - a request has come
        self._parser.message_consumed()
        body = payload.read_nowait(-1)
        request = Request(message.method, message.path, message.headers, body, self._peer, self._began)
        return request, not message.should_close and message.version == HttpVersion11

    async def _answer(self, request: Request, *, keep_open: bool) -> None:
        reply = await self._server.answer(request)
        self._answering = None
        if self.transport is None:
            return
        keep_open = keep_open and (not self._closing or bool(self._requests))
        now = self._server.clock.monotonic
        answered = now()
        self.transport.write(wire(reply, int(time()), keep_open=keep_open))
        written = now()
        STAGE_SECONDS["reply"].observe(written - answered)
        REQUEST_SECONDS.observe(written - request.began)
        if keep_open:
            self._wait_for_next()
        else:
            self._end()

    def _wait_for_next(self) -> None:
        self._began = None
        self.since = self._server.clock.monotonic()
        self.deadline = self.since + self._server.keepalive_s
        if self._input_paused and self.transport is not None:
            self._input_paused = False
            self.transport.resume_reading()
        if self._requests or self._malformed:
            self._loop.call_soon(self.data_received, b"")  # not directly: the stack would grow with each request

    def close_after_response(self) -> None:
        """Close the connection after the reply to the request in flight, or to the next one if there is none."""
        self._closing = True

    def close_if_idle(self) -> None:
        """Close the connection if no request is in flight."""
        if not self.is_busy and self.transport is not None:
            self.transport.close()

    def expire(self) -> None:
        """Close the connection because it is late, or there are too many. Must not be called while it is answering."""
        if self.transport is None:
            return
        if self._ending or self.transport.is_closing():
            self.transport.abort()  # the client does not read the reply, so it would never be closed
        elif self._began is not None:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "too_slow")
        else:
            self.transport.close()

    def abort(self) -> None:
        """Close the connection at once, and cancel the request in flight."""
        if self._answering is not None:
            self._answering.cancel()
        if self.transport is not None:
            self.transport.abort()

    def _refuse(self, status: int, outcome: str) -> None:
        """Answer a request that has not arrived as a whole and never will."""
        self._server.count_refusal(status, outcome)
        if self.transport is not None:
            self.transport.write(wire(refused(status), int(time()), keep_open=False))
        self._end()

    def _end(self) -> None:
        """Write no more, and close the connection once the client has had time to read the reply.

        Closing it at once would reset it if the client is still sending, and the reply would be lost. A client that has closed
        its own side sends nothing, so its connection is closed at once.
        """
        self._ending = True
        self._requests.clear()
        self.deadline = self._server.clock.monotonic() + _LINGER_S
        if self.transport is None:
            return
        if self._peer_closed:
            self.transport.close()
            return
        if self._input_paused:
            self.transport.resume_reading()
        self.transport.write_eof()
