"""Clients that connect and say nothing, or half of something, by the thousand: nobody else has to wait for them."""

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.acceptance.support.pair import Pair, started_pair
from tests.support.inbound.kinds import message
from tests.support.inbound.webhooks import Twilio
from tests.support.ingress.ingress_client import raw_request
from tests.support.processes.services import Services
from tests.support.servers.ports import LOOPBACK
from tests.support.servers.redis_server import RedisServer
from tests.support.waiting import until_answer

SLOW, GOOD, RATE = 10_000, 1_000, 200.0
AT_ONCE = 500
OTHERS = 300
"""Files of this process that are no slow client's."""


@pytest.fixture
def slow_clients() -> Iterator[int]:
    """Yield how many slow clients this process may play, having raised its limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = SLOW + OTHERS if hard == resource.RLIM_INFINITY else min(SLOW + OTHERS, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    yield max(soft, most) - OTHERS if max(soft, most) < SLOW + OTHERS else SLOW
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
async def pair(own_redis: RedisServer, services: Services, tmp_path: Path) -> AsyncIterator[Pair]:
    """Yield a pair that lets go of slow clients within the test."""
    async with started_pair(own_redis, services, tmp_path, settings={"INGRESS_READ_TIMEOUT_S": "5"}) as pair:
        yield pair


async def test_slow_clients_keep_nobody_waiting(pair: Pair, slow_clients: int) -> None:
    """200 webhooks per second are answered while 10 000 clients are connected that will never finish a request."""
    webhook = Twilio().webhook(message())
    whole = raw_request(webhook, pair.ingress.port)
    halves = [b"", whole[:1], whole[: whole.index(b"\r\n\r\n")], whole[:-1]]
    transports = []
    for begun in range(0, slow_clients, AT_ONCE):
        several = range(begun, min(begun + AT_ONCE, slow_clients))
        transports += await asyncio.gather(*(connected(pair.ingress.port, halves[at % len(halves)]) for at in several))
    clock = asyncio.get_running_loop().time
    start = clock()
    async with asyncio.TaskGroup() as tasks:
        deliveries = [tasks.create_task(delivered(pair, start + number / RATE)) for number in range(GOOD)]
    waits = sorted(delivery.result() for delivery in deliveries)
    print(f"{slow_clients} slow clients; good ones waited {waits[GOOD // 2] * 1e3:.1f} ms in the middle, "
          f"{waits[GOOD * 99 // 100] * 1e3:.1f} ms at p99, {waits[-1] * 1e3:.1f} ms at most")  # fmt: skip
    assert pair.refused == 0
    await until_answer(lambda: open_connections(pair), lambda count: count <= GOOD, "the slow clients are let go")
    for transport in transports:
        transport.abort()


async def connected(port: int, half: bytes) -> asyncio.Transport:
    """Connect, and send `half` a request."""
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, LOOPBACK, port)
    transport.write(half)
    return transport


async def delivered(pair: Pair, due: float) -> float:
    """Deliver one webhook when it is `due`; return the seconds from then to its answer."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(due - loop.time())
    await pair.deliver(Twilio().webhook(message()))
    return loop.time() - due


async def open_connections(pair: Pair) -> float:
    """Return how many connections ingress has."""
    return (await pair.ingress.metrics())["hookline_ingress_connections"]
