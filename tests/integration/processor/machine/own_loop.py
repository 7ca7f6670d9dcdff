"""Simulated processes: event loops that run only when a test turns them, each with its own clock.

A loop that is not turned is a process that was stopped: nothing in it runs, and what Redis answers waits in its sockets.
"""

import asyncio
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from weakref import WeakSet

from hookline_shared.clock import SystemClock
from tests.support.servers.ports import LOOPBACK

_FIRST_TURNS: Final = 10
_LAST_TURNS: Final = 50
_CLOSING_TURNS: Final = 3


class OwnLoop(asyncio.SelectorEventLoop):
    """Connects to the port that `route` gives, whatever address it is asked for, while it is `linked`."""

    def __init__(self, route: Callable[[], int]) -> None:
        self._route = route
        self._behind_s = 0.0
        self._stopped_at: float | None = None
        self._connections: WeakSet[asyncio.Transport] = WeakSet()
        self.linked = True
        self.ended = False
        super().__init__()

    def time(self) -> float:
        """Seconds since some fixed moment, less those for which the clock stood still."""
        return time.perf_counter() - self._behind_s

    @property
    def stopped(self) -> bool:
        """Whether it was stopped and not continued."""
        return self._stopped_at is not None

    def turn(self) -> None:
        """Run what is due, once."""
        self.stop()
        self.run_forever()

    def halt(self) -> None:
        """Note that from now on it is not turned."""
        if self._stopped_at is None:
            self._stopped_at = time.perf_counter()

    def go_on(self, *, stood_still: bool) -> None:
        """Note that it is turned again; `stood_still` tells whether its clock did, too, as in a machine that was suspended."""
        if self._stopped_at is not None and stood_still:
            self._behind_s += time.perf_counter() - self._stopped_at
        self._stopped_at = None

    def cut(self) -> None:
        """Cut every connection. What was sent before still arrives."""
        for transport in list(self._connections):
            with suppress(OSError):
                transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """End the loop as a crash does: nothing is finished, and nothing is sent any more."""
        self.linked, self.ended = False, True
        self.cut()
        self.set_exception_handler(lambda _loop, _context: None)
        for _ in range(_FIRST_TURNS):  # for tasks that have not begun: their work would never be awaited
            self.turn()
        for _ in range(_LAST_TURNS):
            tasks = asyncio.all_tasks(self)
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            self.turn()
        for transport in list(self._connections):
            transport.abort()
        for _ in range(_CLOSING_TURNS):
            self.turn()
        self.close()

    async def create_connection(self, protocol_factory: Any, *_address: Any, **options: Any) -> Any:
        """Connect to the port that the route gives."""
        if not self.linked:
            raise ConnectionRefusedError("cut off")
        connection = await super().create_connection(protocol_factory, LOOPBACK, self._route(), **options)
        self._connections.add(connection[0])
        return connection


class OwnClock(SystemClock):
    """The clock of what runs in `loop`. Its time of day is `ahead_ms` milliseconds ahead of the machine's."""

    def __init__(self, loop: OwnLoop) -> None:
        self.monotonic = loop.time
        self.ahead_ms = 0

    def now_ms(self) -> int:
        """Return Unix time in milliseconds."""
        return super().now_ms() + self.ahead_ms
