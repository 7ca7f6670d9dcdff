"""A TCP port that can stop taking connections and take them again, as a server does that restarts."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from tests.support.servers.ports import LOOPBACK, free_port

_BACKLOG: Final = 128
_TRIES: Final = 20


class Listener:
    """A port on the loopback, the same from `open` to `close`. All of it happens in the event loop that `open` was called in.

    `take` is called with each accepted socket, which is then its own to close.
    """

    def __init__(self, take: Callable[[socket.socket], None]) -> None:
        self.port = 0
        self._take = take
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Choose a port, and take connections."""
        self._socket = _bound_to_any()
        self.port = self._socket.getsockname()[1]
        self.listen()

    def refuse(self) -> None:
        """Refuse connections until `listen`, those that nobody has taken yet included."""
        self.close()
        self._socket = _bound(self.port)  # bound without listening, it refuses, and keeps the port from everybody else

    def listen(self) -> None:
        """Take connections, if it does not."""
        assert self._socket is not None, "not open"
        self._socket.listen(_BACKLOG)
        asyncio.get_running_loop().add_reader(self._socket, self._accept, self._socket)

    def close(self) -> None:
        """Release the port."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _accept(self, listening: socket.socket) -> None:
        with suppress(BlockingIOError, ConnectionError):  # whoever knocked has gone again
            accepted, _ = listening.accept()
            accepted.setblocking(False)
            self._take(accepted)


def _bound_to_any() -> socket.socket:
    for _ in range(_TRIES - 1):
        with suppress(OSError):  # somebody took that port between the look and the bind
            return _bound(free_port())
    return _bound(free_port())


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections from before `refuse` may still be open
        bound.setblocking(False)
        bound.bind((LOOPBACK, port))
    except OSError:
        bound.close()
        raise
    return bound
