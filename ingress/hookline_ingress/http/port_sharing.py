"""Whether this process listens on the port for webhooks, or leaves it to the others that share it (SO_REUSEPORT).

    listening   ready, or the only process that listens. If it is not ready, it answers with a 503
    absent      not ready, and another process listens, which gets all connections

The kernel distributes connections over the processes that listen, also over one that can only answer with a 503. So a process
that is not ready goes absent if another one listens, and listens again when it has been ready for a while, or when no other
process listens any more: a 503 tells a proxy and Twilio more than a refused connection.

Two processes that are not ready must not go absent together, each counting on the other. Only the holder of a lock may look at
who listens and go absent; the kernel releases the lock when its holder dies. A process that is not ready may still be counted
on: then all get the same 503 as before.

A process that leaves the port also closes its connections after their next response, and idle ones at once, since a proxy that
keeps connections open would go on sending to it. Flapping is bounded: after it has left, a process stays absent until it has
been ready for `_STEADY_S` without interruption.
"""

import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from aiojobs import Job

from hookline_shared.clock import Clock
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger

_INTERVAL_S: Final = 0.1
_STEADY_S: Final = 5.0
"""How long a process that has left must be ready without interruption before it listens again."""
_TABLES: Final = (Path("/proc/self/net/tcp"), Path("/proc/self/net/tcp6"))
_LISTEN: Final = "0A"


class ListeningPort(Protocol):
    """The part of the server that opens and closes its port."""

    @property
    def listening(self) -> bool:
        """Whether it listens."""
        ...

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """Its bound sockets, whether they listen or not."""
        ...

    async def listen(self) -> None:
        """Listen on the sockets."""
        ...

    def stop_listening(self) -> None:
        """Leave the port to other processes at once."""
        ...

    async def bind(self) -> None:
        """Bind the port again after `stop_listening`, so that it stays this user's."""
        ...


class PortSharing:
    """Decides whether `port` listens. `problem` returns why ingress is not ready, apart from its port; None if it is."""

    def __init__(self, port: ListeningPort, problem: Callable[[], str | None], clock: Clock, logger: Logger) -> None:
        self._port = port
        self._problem = problem
        self._clock = clock
        self._logger = logger
        self._has_left = False
        self._ready_since: float | None = None
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Listen, unless ingress is not ready yet and another process listens; then decide again and again."""
        await self.decide()
        self._job = await supervisor.spawn("port sharing", self._run())

    async def stop(self) -> None:
        """Decide no more."""
        if self._job is not None:
            await self._job.close()

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(_INTERVAL_S)
            await self.decide()

    async def decide(self) -> None:
        """Make one decision, and act on it."""
        problem = self._problem()
        if problem is not None:
            self._ready_since = None
        elif self._ready_since is None:
            self._ready_since = self._clock.monotonic()
        if not self._port.listening:
            await self._return(problem)
        elif problem is not None:
            await self._leave(problem)

    async def _leave(self, problem: str) -> None:
        with _lock(self._port.sockets) as locked:
            if not locked or not others_listen(self._port.sockets):
                return
            self._port.stop_listening()
        self._has_left = True
        self._logger.warning("left the port to other processes, since ingress is not ready", reason=problem)
        await self._port.bind()

    async def _return(self, problem: str | None) -> None:
        alone = not others_listen(self._port.sockets)
        if not alone and not self._is_steady():
            return
        await self._port.listen()
        if self._has_left:
            self._logger.info("listening again", reason="no other process listens" if alone else "ready", problem=problem)

    def _is_steady(self) -> bool:
        """Whether ingress is ready, and has been for a while if it has ever left the port."""
        if self._ready_since is None:
            return False
        return not self._has_left or self._clock.monotonic() - self._ready_since >= _STEADY_S


class _Listener(NamedTuple):
    """A socket that listens, in any process of this network namespace: its address as Linux writes it, and its inode."""

    address: str
    inode: int


def others_listen(own: Sequence[socket.socket]) -> bool:
    """Whether another process listens on the address and port of one of the bound sockets `own`. False if nobody can tell."""
    addresses = {_address(one) for one in own}
    inodes = {os.fstat(one.fileno()).st_ino for one in own}
    return any(found.address in addresses and found.inode not in inodes for found in _listeners())


def _listeners() -> Iterator[_Listener]:
    """Yield the sockets that listen. They come first in the tables, so the connections are not read."""
    for table in _TABLES:
        try:
            with table.open() as lines:
                next(lines, None)  # names of the columns
                for words in takewhile(lambda words: words[3] == _LISTEN, map(str.split, lines)):
                    yield _Listener(words[1], int(words[9]))
        except OSError:
            continue  # no Linux, or no IPv6


def _address(bound: socket.socket) -> str:
    """Return the address of `bound` as the tables have it: 32-bit words in the byte order of this machine, in hexadecimal."""
    host, port = bound.getsockname()[:2]
    packed = socket.inet_pton(bound.family, host.partition("%")[0])
    words = (int.from_bytes(packed[at : at + 4], sys.byteorder) for at in range(0, len(packed), 4))
    return "".join(f"{word:08X}" for word in words) + f":{port:04X}"


@contextmanager
def _lock(own: Sequence[socket.socket]) -> Iterator[bool]:
    """Yield whether this process is the only one that decides about the port of `own`, until the end of the `with` block.

    The lock is a name that one socket of a network namespace can have.
    """
    port = own[-1].getsockname()[1]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as holder:
        try:
            holder.bind(f"\0hookline-ingress-port-{port}")
        except OSError:
            yield False
        else:
            yield True
