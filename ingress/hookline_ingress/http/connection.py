"""One HTTP connection: one request at a time, each answered with bytes that are written at once.

    waiting    nothing of a request has arrived
    reading    a part of one has arrived: of its head (`_head` is None), or of its body
    answering  one has arrived as a whole, and is passed on; until its reply comes, bytes that arrive wait
    ending     the last reply is written; bytes that still arrive are dropped, so that the client can read the reply

What a connection holds is bounded in each state: a head (`heads`), a body within the limit of its path (`bodies`), and what was
read of the socket at once, twice. More is not read from the socket until these bytes are used up. `read_memory` bounds what all
connections hold together. docs/decisions.md says why this is not aiohttp's own request handler.
"""

import asyncio
from http import HTTPStatus
from math import inf
from time import time
from typing import Final, cast

from hookline_ingress.http.bodies import Body, expect_body
from hookline_ingress.http.heads import BYTES_PER_LINE, Head, HeadParser, find_end, has_end, searched_in, skip_empty_lines
from hookline_ingress.http.replies import CONTINUE, refused, wire
from hookline_ingress.http.request import Reply, Request, UnreadableError
from hookline_ingress.http.served import Server
from hookline_ingress.metrics import REQUEST_SECONDS, STAGE_SECONDS

_TIME_TO_REPLY: Final = STAGE_SECONDS["reply"].observe
_LINGER_S: Final = 2.0
_READ_AT_STOP_S: Final = 2.0
_LARGE_READ: Final = 64 * 1024
"""Bytes after which others are read before more of a connection is: while so much comes, libuv would read of one 32 times."""


class Connection(asyncio.Protocol):
    """One connection of `server`. In seconds on the server's clock, `deadline` is when it expires, infinite while it is
    answering, and `since` is when it began to wait or to read. `held` is what it holds in bytes, see `read_memory`."""

    __slots__ = (
        "_answering", "_began", "_body", "_closing", "_ending", "_head", "_heads", "_input_paused", "_keep_open",
        "_next_is_due", "_parsed", "_peer", "_peer_closed", "_searched", "_server", "_skipped", "_unread", "_unread_at",
        "deadline", "held", "since", "transport",
    )  # fmt: skip

    def __init__(self, server: Server) -> None:
        self.transport: asyncio.Transport | None = None
        self._server = server
        self._heads = HeadParser(server.loop)
        self._unread, self._unread_at = b"", 0  # what has arrived, and up to where it is used up
        self._skipped = 0  # bytes of empty lines, since the last request
        self._searched = 0  # bytes of the next head at which the end of it does not begin
        self._began: float | None = None
        self._head: Head | None = None
        self._body: Body | None = None
        self._answering = False
        self._keep_open = False  # whether the client may send another request after the one that is being answered
        self._peer = ""
        self._input_paused = False
        self._next_is_due = False  # whether `_read_next` is scheduled
        self._closing = self._ending = self._peer_closed = False
        self.deadline, self.since = inf, 0.0
        self.held = self._parsed = 0  # bytes, and those of a head that waits for its body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request, which must arrive within the time limit for reading."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none, but has the same methods
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if isinstance(peer, tuple) else ""
        self.since = self._server.clock.monotonic()
        self.deadline = self.since + self._server.read_timeout_s
        self._server.admit(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Drop everything but the request that is being answered: its events are written all the same."""
        self.transport = self._head = self._body = None
        self._unread, self._unread_at = b"", 0
        self._note_held()
        self._server.dismiss(self)

    def pause_writing(self) -> None:
        """Abort the connection of a client that sends requests and does not read the replies."""
        if self.transport is not None:
            self.transport.abort()

    def resume_writing(self) -> None:
        """Do nothing: `pause_writing` aborted the connection."""

    def eof_received(self) -> bool:
        """Answer the requests that have arrived; return whether the connection is still needed for that."""
        self._closing = self._peer_closed = True
        return self._answering or (self._began is None and bool(self._unread))

    def data_received(self, data: bytes) -> None:
        """Read `data`, or keep it until the requests before it are answered."""
        if self._ending:
            return
        self._unread = self._unread[self._unread_at :] + data if self._unread else data
        self._unread_at = 0
        if not self._answering and not self._next_is_due:
            self._read()
        else:
            self._pause_input()
            self._note_held()

    def _read_next(self) -> None:
        self._next_is_due = False
        if not self._ending:
            self._read()

    def _read(self) -> None:
        """Read what has arrived, and answer the request once it is whole. None must be being answered."""
        if self.transport is None:
            return
        try:
            request = self._read_request()
        except UnreadableError as error:
            self._refuse(self._server.refusal_status(error, self._head), error.outcome)
            return
        if request is not None:
            self._begin_answer(request)
        elif self._peer_closed:
            self.transport.close()
        else:
            self._unread, self._unread_at = self._unread[self._unread_at :], 0
            if self._note_held() > _LARGE_READ:
                self._pause_input()
                self._server.loop.call_soon(self._resume_input)
            else:
                self._resume_input()

    def _read_request(self) -> Request | None:
        """Return the next request, None while a part of it is missing."""
        head = self._head or self._read_head()
        if head is None:
            return None
        assert self._began is not None  # noqa: S101 - the head was read
        begin = self._unread_at
        if self._body is None and head.length is not None and (end := begin + head.length) <= len(self._unread):
            body: bytes | None = self._unread[begin:end]  # as nearly always
            self._unread_at = end
        else:
            body = self._read_body(head)
        return None if body is None else Request(head.method, head.target, head.headers, body, self._peer, self._began)

    def _read_head(self) -> Head | None:
        """Read and return the head of the next request, None if it has not arrived."""
        unread = self._unread
        begin = skip_empty_lines(unread, self._unread_at, self._skipped)
        if begin == len(unread):
            self._skipped += begin - self._unread_at
            self._unread_at = begin
            return None
        self._unread_at, self._skipped = begin, 0
        if self._began is None:
            self._began = self.since = self._server.clock.monotonic()
            self.deadline = self._began + (_READ_AT_STOP_S if self._closing else self._server.read_timeout_s)
        end = find_end(unread, begin, self._searched)
        if not end:
            self._searched = searched_in(len(unread) - begin)
            return None
        self._searched = 0
        self._head = self._heads.parse(unread[begin:end])
        self._unread_at = end
        return self._head

    def _read_body(self, head: Head) -> bytes | None:
        """Return the body of the request with `head`, None while a part of it is missing."""
        begin = self._unread_at
        if self._body is None:
            self._body = self._expect_body(head)
            self._parsed = begin + BYTES_PER_LINE * len(head.headers)
        self._unread_at = self._body.take(self._unread, begin)
        return bytes(self._body.content) if self._body.is_whole else None

    def _expect_body(self, head: Head) -> Body:
        """Return the body of the request with `head`, of which a part may be missing; nothing is in it yet."""
        body = expect_body(head.length, self._server.body_limit(head.target, head.headers))
        asks = head.is_1_1 and head.headers.get("Expect", "").lower() == "100-continue"
        if asks and self._unread_at == len(self._unread) and self.transport is not None:
            self.transport.write(CONTINUE)
        return body

    def _begin_answer(self, request: Request) -> None:
        """Answer `request`, the one at hand."""
        assert self._head is not None  # noqa: S101 - it is that of the request
        self._keep_open = self._head.keep_open
        self._head = self._body = None
        if self._unread_at == len(self._unread):
            self._unread, self._unread_at = b"", 0
        self.deadline = inf
        self._answering = True
        if self.held or self._unread:
            self._note_held()
        self._server.answer(request, self._respond)

    def _respond(self, reply: Reply) -> None:
        """Send the reply to the request that is being answered, unless the connection was lost or aborted meanwhile."""
        if not self._answering or self._began is None or self.transport is None or self.transport.is_closing():
            return
        self._answering = False
        keep_open = self._keep_open and (not self._closing or has_end(self._unread, self._unread_at))
        now = self._server.clock.monotonic
        answered = now()
        self.transport.write(wire(reply, int(time()), keep_open=keep_open))
        written = now()
        _TIME_TO_REPLY(written - answered)
        REQUEST_SECONDS.observe(written - self._began)
        if keep_open:
            self._wait_for_next(written)
        else:
            self._end()

    def _wait_for_next(self, now: float) -> None:
        self._began = None
        self.since = now
        self.deadline = now + self._server.keepalive_s
        if self._unread:
            self._next_is_due = True
            self._server.loop.call_soon(self._read_next)  # not directly: the stack would grow with each request
        else:
            self._resume_input()

    def _pause_input(self) -> None:
        if not self._input_paused and self.transport is not None:
            self._input_paused = True
            self.transport.pause_reading()

    def _resume_input(self) -> None:
        """Read from the socket again: what was read before is used up."""
        if self._input_paused and self.transport is not None:
            self._input_paused = False
            self.transport.resume_reading()

    def close_after_response(self) -> None:
        """Close the connection after the reply to the request in flight, or to the next one if there is none.

        The rest of a request has less time from now on: anyone could hold up the end of the service with half a request.
        """
        self._closing = True
        if self._began is not None and not self._answering:
            self.deadline = min(self.deadline, self._server.clock.monotonic() + _READ_AT_STOP_S)

    def close_if_idle(self) -> None:
        """Close the connection if no request is in flight."""
        if not self._answering and self._began is None and not self._unread and self.transport is not None:
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

    def give_up(self) -> None:
        """Hold nothing any more: refuse the request of which a part is missing, or drop those behind the one in flight."""
        if not self._answering:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "no_memory")
        else:
            self._closing = True
            self._unread, self._unread_at = b"", 0
            self._note_held()

    def _note_held(self) -> int:
        """Count what is not used up, and what a request that waits for its body holds; return how much more that is."""
        held = len(self._unread) + (self._parsed + len(self._body.content) if self._body is not None else 0)
        change, self.held = held - self.held, held
        self._server.memory.change(change)
        return change

    def abort(self) -> None:
        """Close the connection at once. The reply to the request in flight is dropped."""
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
        self._head = self._body = None
        self._unread, self._unread_at = b"", 0
        self._note_held()
        self.deadline = self._server.clock.monotonic() + _LINGER_S
        if self.transport is not None and self._peer_closed:
            self.transport.close()
        elif self.transport is not None:
            self._resume_input()
            self.transport.write_eof()
