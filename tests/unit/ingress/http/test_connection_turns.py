"""A connection on which much comes leaves turns to the others."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from hookline_ingress.http.connection import Connection
from hookline_ingress.http.read_memory import ReadMemory
from hookline_ingress.http.request import Reply, Request, Respond
from tests.support.time.manual_clock import ManualClock

HEAD = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n"
READ = 256_000
"""Bytes that uvloop reads at once."""


class Input(asyncio.Transport):
    """A transport that notes whether it is read."""

    def __init__(self) -> None:
        super().__init__()
        self._paused = False

    def is_closing(self) -> bool:
        return False

    def is_paused(self) -> bool:
        return self._paused

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False

    def write(self, _data: Any) -> None:
        pass


def connection(clock: ManualClock, taken: list[bytes]) -> tuple[Connection, Input]:
    def answer(request: Request, respond: Respond) -> None:
        taken.append(request.body)
        respond(Reply(204))

    server = SimpleNamespace(
        loop=asyncio.get_running_loop(),
        clock=clock,
        read_timeout_s=10,
        keepalive_s=75,
        body_limit=lambda _target, _headers: 1 << 20,
        memory=ReadMemory(1 << 24, list, clock, lambda: None),
        answer=answer,
        admit=lambda _connection: None,
        dismiss=lambda _connection: None,
    )
    made, transport = Connection(cast("Any", server)), Input()
    made.connection_made(transport)
    return made, transport


async def test_one_large_read_at_a_time(clock: ManualClock) -> None:
    """After each large part of a body, other connections are read first; libuv would read of this one 32 times."""
    taken: list[bytes] = []
    made, transport = connection(clock, taken)
    made.data_received(HEAD + b"x" * READ)
    for _ in range(2):
        assert transport.is_paused()
        await asyncio.sleep(0)
        assert not transport.is_paused()
        made.data_received(b"x" * READ)
    await asyncio.sleep(0)
    made.data_received(b"x" * (1_000_000 - 3 * READ))
    assert taken == [b"x" * 1_000_000]
    assert not transport.is_paused()
    made.connection_lost(None)


async def test_small_parts_are_read_on(clock: ManualClock) -> None:
    """A request that comes in parts, as over any network, is not paused for each of them."""
    made, transport = connection(clock, [])
    made.data_received(HEAD)
    for _ in range(10):
        made.data_received(b"x" * 1460)
        assert not transport.is_paused()
    made.connection_lost(None)


async def test_end_while_paused(clock: ManualClock) -> None:
    """A connection that is lost or gives up before its turn comes again leaves nothing behind."""
    taken: list[bytes] = []
    made, transport = connection(clock, taken)
    made.data_received(HEAD + b"x" * READ)
    made.connection_lost(None)
    await asyncio.sleep(0)
    assert transport.is_paused()
    assert taken == []
