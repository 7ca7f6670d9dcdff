"""One client's way through a `FaultProxy`: its connection, the one to the server behind it, and what happens in between."""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, cast

from tests.support.faults.resp_frames import Frames, ReplyOrder, command_word
from tests.support.servers.ports import LOOPBACK

_END: Final = b""
"""In place of a chunk: the other side has closed."""

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER of no seconds: closing sends RST, not FIN."""


@dataclass(frozen=True)
class Faults:
    """The active faults. `error` answers `commands`, in upper case, or all of them; empty, it answers none."""

    delay_s: float = 0.0
    stalled: bool = False
    truncate_after: int | None = None
    error: bytes = b""
    commands: frozenset[bytes] | None = None

    def answers(self, command: bytes) -> bool:
        """Whether `command` is answered with `error`."""
        return bool(self.error) and (self.commands is None or command_word(command) in self.commands)


class Relay:
    """Passes chunks on between one client and the server, as far as `faults()`, asked at each chunk, lets it.

    A chunk goes: from the client, held while stalled, answered here or sent to the server; from the server, held while stalled,
    set in order, cut short, delayed, sent to the client. The end of either connection takes the same way, after all chunks.
    """

    def __init__(self, faults: Callable[[], Faults]) -> None:
        self._faults = faults
        self._client = _End(self._from_client)
        self._server = _End(self._from_server)
        self._dead = False
        self._requests: deque[bytes] = deque()
        self._commands = Frames()
        self._order = ReplyOrder()
        self._replies: deque[bytes] = deque()
        self._answers = Frames()
        self._late: deque[bytes] = deque()
        self._last = 0  # number of the youngest of `_late`; the first piece of the connection has number 1
        self._ended = False

    @property
    def open(self) -> bool:
        """Whether the client's connection is open."""
        return self._client.open

    async def run(self, accepted: socket.socket, server_port: int) -> None:
        """Relay for `accepted` until both connections have closed. The client is cut off if the server refuses."""
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: self._client, accepted)
        try:
            await loop.create_connection(lambda: self._server, LOOPBACK, server_port)
        except OSError:
            self._client.reset()
        self._pass_on()
        await self._client.closed.wait()
        await self._server.closed.wait()

    def heal(self) -> None:
        """Pass on what was held and delayed, unless it still must be."""
        self._release(self._last)
        self._pass_on()

    def cut(self) -> None:
        """Reset the client's connection, and lose what was held. The server is told the end."""
        if not self._dead:
            self._requests = deque(chunk for chunk in self._requests if chunk == _END)
            self._client.reset()

    def die(self) -> None:
        """Discard everything from now on, including the ends of connections."""
        self._dead = True

    def stop(self) -> None:
        """Reset both connections, so that `run` returns."""
        self._client.reset()
        self._server.reset()

    def _from_client(self, chunk: bytes) -> None:
        self._requests.append(chunk)
        self._pass_on()

    def _from_server(self, chunk: bytes) -> None:
        self._replies.append(chunk)
        self._pass_on()

    def _pass_on(self) -> None:
        if self._dead or self._faults().stalled:
            return
        while self._replies:
            self._reply(self._replies.popleft())
        while self._requests and self._server.open:
            self._request(self._requests.popleft())

    def _request(self, chunk: bytes) -> None:
        if chunk == _END:
            self._server.write_eof()  # a server that is written to without reading its replies might lose commands to an RST
            return
        faults = self._faults()
        forwarded = []
        for command in self._commands.feed(chunk):
            if faults.answers(command):
                self._order.answered(faults.error)
            else:
                self._order.forwarded()
                forwarded.append(command)
        self._server.write(b"".join(forwarded))
        self._answer(self._order.merge([]))

    def _reply(self, chunk: bytes) -> None:
        if chunk == _END:
            self._send(_END)
        else:
            self._answer(self._order.merge(self._answers.feed(chunk)))

    def _answer(self, answer: bytes) -> None:
        """Send whole replies, or less if they are to be truncated: at least the last byte is lost then."""
        keep = self._faults().truncate_after
        if answer and keep is not None:
            self._send(answer[: min(keep, len(answer) - 1)])
            self._send(_END)
        elif answer:
            self._send(answer)

    def _send(self, piece: bytes) -> None:
        if self._ended:
            return
        self._ended = piece == _END
        self._late.append(piece)
        self._last += 1
        if delay_s := self._faults().delay_s:
            asyncio.get_running_loop().call_later(delay_s, self._release, self._last)
        else:
            self._release(self._last)

    def _release(self, number: int) -> None:
        """Send the pieces up to `number`, so that the delay of one never lets it overtake another."""
        while not self._dead and not self._faults().stalled and number > self._last - len(self._late):
            piece = self._late.popleft()
            if piece == _END:
                self._client.close()
            else:
                self._client.write(piece)


class _End(asyncio.Protocol):
    """One connection of a relay. What comes is given to `take`, at last `_END`. It can be told what to do before it is open."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self.closed = asyncio.Event()
        self.closed.set()
        self._take = take
        self._transport: asyncio.Transport | None = None
        self._doomed = False

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.closed.clear()
        if self._doomed:
            self.reset()

    def data_received(self, data: bytes) -> None:
        self._take(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.closed.set()
        self._take(_END)

    def write(self, data: bytes) -> None:
        if self._transport is not None and self.open:
            self._transport.write(data)

    def write_eof(self) -> None:
        if self._transport is not None and self.open:
            with suppress(OSError):  # closed by the other side, which is about to be noticed
                self._transport.write_eof()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Close at once, whatever is still to be sent."""
        self._doomed = True
        if self._transport is not None:
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()
