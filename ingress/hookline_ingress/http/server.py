"""The port that Twilio calls: how many connections it accepts, how long they may take, and how they end."""

import asyncio
import os
import resource
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from math import inf
from typing import Final, NamedTuple

from aiojobs import Job

from hookline_ingress.http.compatibility import check_aiohttp
from hookline_ingress.http.connection import Connection
from hookline_ingress.http.heads import IS_COMPILED, Head, HeadParser
from hookline_ingress.http.read_memory import ReadMemory
from hookline_ingress.http.request import Arrived, Request, Respond, UnreadableError
from hookline_ingress.metrics import CONNECTIONS, READ_BYTES, REQUESTS
from hookline_shared.clock import Clock
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.system.listening import explain_os_error

_SWEEP_INTERVAL_S: Final = 0.5
_BACKLOG: Final = 4096
"""Connections that the kernel accepts ahead; a burst of slow clients must not keep Twilio from connecting."""
_ENDED_AT_ONCE: Final = 50
"""Connections that one step of the sweep ends, before requests are handled again."""
_GIVEN_UP: Final = 0.1
"""Share of the connections that is closed when there are too many."""
_MOST_TOGETHER: Final = 64
_LARGEST_TOGETHER: Final = 16 * 1024
"""Requests that are handled together, and the largest body in bytes of one that waits for others: together they have 1 MiB."""
_WARN_INTERVAL_S: Final = 60.0
_NO_MEMORY: Final = (
    "requests that have not arrived as a whole take more than INGRESS_READ_MEMORY_MB. Someone sends many large ones slowly, or "
    "the network is slow: the largest and oldest ones are refused."
)
_OTHER_FILES: Final = 256
"""Open files for everything that is no connection from outside: Redis, the spool, the admin port, logs."""


class ConnectionLimits(NamedTuple):
    """The limits of connections.

    Times are in seconds: `read_timeout_s` for a request to arrive, `keepalive_s` for the next one to begin, `shutdown_s` for
    those in flight when the service stops. `connections` is the number of open ones, `memory` the bytes of what has arrived on
    all of them and is not answered yet.

    `idle_grace_s` is how long an idle connection is kept when the service stops, as part of `shutdown_s`. A request then is
    answered with `Connection: close`. If the connection were closed at once, a request could be on its way, and the client
    would not know whether it was accepted.
    """

    read_timeout_s: float
    keepalive_s: float
    shutdown_s: float
    connections: int
    memory: int = 1 << 28
    idle_grace_s: float = 0.5


class Server:
    """Passes each request to `handle`, with what sends the reply once there is one.

    `body_limit` returns the largest body in bytes for a target and headers, None if no body is read for that target.
    `status_if_too_large` returns the status of the reply to one that is larger. `note_refusal` is told why requests are refused
    that might be genuine.
    """

    def __init__(
        self,
        handle: Callable[[Sequence[Arrived]], None],
        body_limit: Callable[[str, Mapping[str, str]], int | None],
        limits: ConnectionLimits,
        clock: Clock,
        logger: Logger,
        status_if_too_large: Callable[[str, Mapping[str, str]], int] = lambda _target, _headers: 413,
        note_refusal: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self.loop = asyncio.get_running_loop()  # kept: asking for it is a system call before Python 3.12
        self.clock = clock
        self.body_limit = body_limit
        self._status_if_too_large = status_if_too_large
        self.read_timeout_s = limits.read_timeout_s
        self.keepalive_s = limits.keepalive_s
        self._limits = limits
        self._handle = handle
        self._arrived: list[Arrived] = []
        self._logger = logger
        self._connections: set[Connection] = set()
        self.memory = ReadMemory(limits.memory, lambda: self._connections, clock, self._warn_of_memory)
        self._note_refusal = note_refusal
        self._quiet_until = 0.0
        self._none_left = asyncio.Event()
        self._place = ("", 0)
        self._listener: asyncio.Server | None = None
        self._sweeper: Job[None] | None = None
        CONNECTIONS.set_function(lambda: len(self._connections))
        READ_BYTES.set_function(lambda: self.memory.held)

    def check_connection(self) -> None:
        """Check that requests can be read with the aiohttp that is installed.

        Raises:
            AiohttpMismatchError: if it has other internals.
            NoCompiledParserError: if it has no compiled parser.

        """
        check_aiohttp(lambda: HeadParser(self.loop).parse, compiled=IS_COMPILED)

    @property
    def listening(self) -> bool:
        """Whether new connections are accepted."""
        return self._listener is not None and self._listener.is_serving()

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """The sockets of the port, whether they listen or not."""
        return self._listener.sockets if self._listener is not None else ()

    def check_listening(self) -> str | None:
        """Return that the port is not open, None if it is."""
        return None if self.listening else "the port for webhooks is not open yet"

    async def start(self, host: str, port: int, supervisor: Supervisor) -> int:
        """Listen, beside other processes that do so on the same port; return the port.

        Raises:
            PortTakenError: if another program listens there.
            AddressError: if this machine cannot listen there.

        """
        port = await self.open(host, port, supervisor)
        await self.listen()
        return port

    async def open(self, host: str, port: int, supervisor: Supervisor) -> int:
        """Do as `start` does, but do not listen yet."""
        self._place = host, port
        await self.bind()
        self._place = host, int(self.sockets[-1].getsockname()[1])
        self._sweeper = await supervisor.spawn("sweep of connections", self._sweep())
        return self._place[1]

    async def bind(self) -> None:
        """Bind the port, so that it is this user's, and do not listen: the kernel gives it no connections."""
        host, port = self._place
        with explain_os_error(host, port, setting="INGRESS"):
            self._listener = await self.loop.create_server(
                lambda: Connection(self), host, port, backlog=_BACKLOG, reuse_port=True, start_serving=False
            )

    async def listen(self) -> None:
        """Accept connections.

        Raises:
            PortTakenError: if another program listens there.

        """
        assert self._listener is not None  # noqa: S101 - it was bound
        with explain_os_error(*self._place, setting="INGRESS"):
            await self._listener.start_serving()

    def stop_listening(self) -> None:
        """Leave the port to other processes at once. The connections are closed after their next response, idle ones soon."""
        if self._listener is not None:
            for one in self._listener.sockets:
                _shut(one.fileno())
            self._listener.close()
        for connection in self._connections:
            connection.close_after_response()
        self.loop.call_later(self._limits.idle_grace_s, self._close_idle, list(self._connections))

    def _close_idle(self, connections: Sequence[Connection]) -> None:
        for connection in connections:
            connection.close_if_idle()

    async def stop(self) -> None:
        """Accept no more connections, and answer the requests in flight, within the time limit for it."""
        if self._listener is not None:
            self._listener.close()
        for connection in self._connections:
            connection.close_after_response()
        idle_grace_s = min(self._limits.idle_grace_s, self._limits.shutdown_s)
        await self._wait_until_empty(idle_grace_s)
        self._close_idle(list(self._connections))
        await self._wait_until_empty(self._limits.shutdown_s - idle_grace_s)
        for connection in list(self._connections):
            connection.abort()
        if self._sweeper is not None:
            await self._sweeper.close()

    async def _wait_until_empty(self, timeout_s: float) -> None:
        """Wait until no connection is left, for at most `timeout_s` seconds."""
        if self._connections:
            self._none_left.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._none_left.wait(), timeout_s)

    def admit(self, connection: Connection) -> None:
        """Register a new connection, and close some if there are too many.

        Those that have waited longest for a request, or for the rest of one, are closed. One that is being answered is never
        closed; if all others are, the new one is closed.
        """
        self._connections.add(connection)
        if len(self._connections) > self._limits.connections:
            waiting = sorted(self._waiting() - {connection}, key=lambda one: one.since)
            for oldest in waiting[: max(1, int(len(self._connections) * _GIVEN_UP))] or [connection]:
                oldest.expire()

    def _waiting(self) -> set[Connection]:
        """Return the connections that are not answering."""
        return {one for one in self._connections if one.deadline < inf}

    def dismiss(self, connection: Connection) -> None:
        """Unregister a connection that has ended."""
        self._connections.discard(connection)
        if not self._connections:
            self._none_left.set()

    def answer(self, request: Request, respond: Respond) -> None:
        """Handle `request` together with others that arrive now; `respond` is called once with the reply.

        First all are read, then all are handled: code that is run again at once costs the processor a good part less.
        """
        arrived = self._arrived
        if not arrived:
            self.loop.call_soon(self._answer_arrived)
        arrived.append((request, respond))
        if len(arrived) == _MOST_TOGETHER or len(request.body) > _LARGEST_TOGETHER:
            self._answer_arrived()

    def _answer_arrived(self) -> None:
        arrived, self._arrived = self._arrived, []
        self._handle(arrived)

    def refusal_status(self, error: UnreadableError, head: Head | None) -> int:
        """Return the status of the reply to what is no request because of `error`; `head` is what was read of it."""
        if error.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE or head is None:
            return error.status
        return self._status_if_too_large(head.target, head.headers)

    def count_refusal(self, status: int, outcome: str) -> None:
        """Count the response to bytes that never became a request."""
        REQUESTS.count("none", int(status), outcome)

    def _warn_of_memory(self) -> None:
        """Note that a request is refused because there are too many half ones, and log it at most once a minute."""
        self._note_refusal(_NO_MEMORY)
        now = self.clock.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + _WARN_INTERVAL_S
            self._logger.warning("requests are refused to limit memory", cause=_NO_MEMORY, connections=len(self._connections))

    async def _sweep(self) -> None:
        """End every connection whose deadline has passed, a few at a time: thousands may have begun together."""
        while True:
            await self.clock.sleep(_SWEEP_INTERVAL_S)
            now = self.clock.monotonic()
            late = [one for one in self._connections if one.deadline < now]
            for at, connection in enumerate(late, start=1):
                if connection.deadline < now:
                    connection.expire()
                if at % _ENDED_AT_ONCE == 0:
                    await asyncio.sleep(0)


def _shut(listening: int) -> None:
    """Stop listening on the socket with the file descriptor `listening` now; closing it may take effect later."""
    with suppress(OSError), socket.socket(fileno=os.dup(listening)) as same:
        same.shutdown(socket.SHUT_RDWR)


def allow_connections(wanted: int) -> int:
    """Raise the process's limit of open files if allowed; return the number of connections it allows, at most `wanted`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_FILES
    limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        soft = limit
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - _OTHER_FILES))
