"""A bounded pool of connections to one server.

A connection returns to the pool only once every answer on it has been read. A call that fails, times out or is cancelled
closes its connection, so no later call can read its answer. Nothing is sent twice.

Closing a connection does not cancel a command that is still on its way, or unread in the server's buffers. It could be carried
out after later ones: an abandoned read would take events out of order and leave them pending, an abandoned settlement would
overwrite a newer state. So the first exchange after an abandoned one starts with CLIENT KILL of that connection. Commands that
were sent over it have been carried out by then, or never will be.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.observability.metrics import REDIS_CONNECTIONS
from hookline_shared.redis.answer_limit import start_exchange
from hookline_shared.redis.options import PoolLimits

CommandArgs = Sequence[str | bytes | int]
"""A command and its arguments."""

_PING: Final[CommandArgs] = ("PING",)
_CLIENT_INFO: Final[CommandArgs] = ("CLIENT", "INFO")
_PING_TIMEOUT_S: Final = 1.0


class PoolExhaustedError(BrokerUnavailableError):
    """Every connection stayed busy for as long as a call may wait for one."""

    def __init__(self, name: str, size: int, waited_s: float) -> None:
        super().__init__(
            f"All {size} connections for {name} were busy for {waited_s:g} s. Redis may be slow; if not, enlarge the pool."
        )


class _Link:
    """A connection and the command that kills it on the server. Times are monotonic seconds."""

    __slots__ = ("connection", "kill", "made_at", "used_at")

    def __init__(self, connection: AbstractConnection, kill: CommandArgs | None, now: float) -> None:
        self.connection = connection
        self.kill = kill
        self.made_at = now
        self.used_at = now


class Pool:
    """The connections for one purpose. `connect` creates them; `name` is a label of metrics."""

    def __init__(self, name: str, connect: Callable[[], AbstractConnection], limits: PoolLimits, clock: Clock) -> None:
        self._name = name
        self._connect = connect
        self._limits = limits
        self._clock = clock
        self._slots = asyncio.Semaphore(limits.size)
        self._idle: list[_Link] = []
        self._busy: set[_Link] = set()
        self._abandoned: set[CommandArgs] = set()
        self._created = REDIS_CONNECTIONS.labels(name, "created")
        self._recycled = REDIS_CONNECTIONS.labels(name, "recycled")
        self._failed = REDIS_CONNECTIONS.labels(name, "failed")
        self._closed = False
        self.waiting = 0

    @property
    def idle(self) -> int:
        """The number of idle connections."""
        return len(self._idle)

    @property
    def in_use(self) -> int:
        """The number of connections in use."""
        return len(self._busy)

    async def exchange(self, commands: Sequence[CommandArgs]) -> list[Any]:
        """Send `commands` together on one connection; return their answers, refusals as `ResponseError` values.

        Raises:
            PoolExhaustedError: if no connection became free in time.
            RedisError, OSError: if there was no answer. Whether the commands were carried out is not known.

        """
        await self._acquire_slot()
        try:
            link = await self._take_link()
            kills = list(self._abandoned)
            answers = await self._use(link, [*kills, *commands])
        finally:
            self._slots.release()
        self._abandoned.difference_update(kills)
        return answers[len(kills) :]

    async def check_idle(self) -> None:
        """Close idle connections that are too old, and those that do not answer a PING after a long idle time."""
        now = self._clock.monotonic()
        for link in list(self._idle):
            if self._expired(link, now):
                self._idle.remove(link)
                await self._recycle(link)
        for link in list(self._idle):
            if now - link.used_at >= self._limits.idle_check_s:
                await self._ping(link)

    async def drop_idle(self) -> None:
        """Close the idle connections, since a failure of one is likely to affect all."""
        idle, self._idle = self._idle, []
        for link in idle:
            await link.connection.disconnect(nowait=True)

    async def close(self) -> None:
        """Close every connection; calls in progress fail, and later ones keep no connection."""
        self._closed = True
        await self.drop_idle()
        for link in list(self._busy):
            await link.connection.disconnect(nowait=True)

    async def _acquire_slot(self) -> None:
        if not self._slots.locked():
            await self._slots.acquire()  # does not wait
            return
        self.waiting += 1
        try:
            async with asyncio.timeout(self._limits.acquire_timeout_s):
                await self._slots.acquire()
        except TimeoutError:
            raise PoolExhaustedError(self._name, self._limits.size, self._limits.acquire_timeout_s) from None
        finally:
            self.waiting -= 1

    async def _take_link(self) -> _Link:
        now = self._clock.monotonic()
        while self._idle:
            link = self._idle.pop()
            if self._expired(link, now):
                await self._recycle(link)
            elif await _is_usable(link.connection):
                return link
            else:
                await self._fail(link)
        return await self._new_link()

    async def _new_link(self) -> _Link:
        connection = self._connect()
        try:
            await connection.connect()
            kill = await _kill_command(connection)
        except BaseException as error:
            if isinstance(error, Exception):
                self._failed.inc()
            await connection.disconnect(nowait=True)
            raise
        self._created.inc()
        return _Link(connection, kill, self._clock.monotonic())

    async def _use(self, link: _Link, commands: Sequence[CommandArgs]) -> list[Any]:
        connection = link.connection
        self._busy.add(link)
        start_exchange(connection)
        try:
            await _send(connection, commands)
            found = [await _answer(connection) for _ in commands]
        except BaseException:
            if link.kill is not None:
                self._abandoned.add(link.kill)
            await self._fail(link)
            raise
        finally:
            self._busy.discard(link)
        link.used_at = self._clock.monotonic()
        if self._closed:
            await connection.disconnect(nowait=True)
        else:
            self._idle.append(link)
        return found

    def _expired(self, link: _Link, now: float) -> bool:
        return now - link.made_at >= self._limits.max_age_s

    async def _ping(self, link: _Link) -> None:
        if link not in self._idle or self._slots.locked():
            return  # a call uses it, which checks it, too
        self._idle.remove(link)
        async with self._slots:
            try:
                async with asyncio.timeout(_PING_TIMEOUT_S):
                    await self._use(link, [_PING])
            except (RedisError, OSError, TimeoutError):
                pass  # closed and counted; the next call creates a new one

    async def _recycle(self, link: _Link) -> None:
        self._recycled.inc()
        await link.connection.disconnect(nowait=True)

    async def _fail(self, link: _Link) -> None:
        self._failed.inc()
        await link.connection.disconnect(nowait=True)


def _pack(words: CommandArgs) -> bytes:
    packed: bytes = hiredis.pack_command(tuple(words))  # type: ignore[arg-type]
    return packed


async def _kill_command(connection: AbstractConnection) -> CommandArgs | None:
    """Return the command that kills `connection` on the server; None if the user may not use CLIENT INFO.

    It has the client's address beside its id, since ids start again when the server restarts.
    """
    await _send(connection, [_CLIENT_INFO])
    answer = await _answer(connection)
    if isinstance(answer, ResponseError):
        return None
    info = dict(field.partition("=")[::2] for field in answer.decode(errors="replace").split())
    return ("CLIENT", "KILL", "ID", info["id"], "ADDR", info["addr"]) if info.keys() >= {"id", "addr"} else None


async def _send(connection: AbstractConnection, commands: Sequence[CommandArgs]) -> None:
    try:
        await connection.send_packed_command(b"".join(map(_pack, commands)), check_health=False)
    except RuntimeError as error:  # from uvloop, if the connection was reset before this
        raise RedisConnectionError("the connection was reset") from error


async def _answer(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


async def _is_usable(connection: AbstractConnection) -> bool:
    """Whether it is open, and nothing is waiting to be read, such as an unexpected answer or the end of the connection."""
    try:
        reset = connection._writer is None or connection._writer.is_closing()
        return not reset and not await connection.can_read()
    except (RedisError, OSError):
        return False
