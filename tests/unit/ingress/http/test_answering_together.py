"""Requests that arrive together are handled together."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from multidict import CIMultiDict

from hookline_ingress.http.request import Arrived, Reply, Request
from hookline_ingress.http.server import ConnectionLimits, Server
from tests.support.observability.logbook import Logbook
from tests.support.time.manual_clock import ManualClock

LIMITS = ConnectionLimits(read_timeout_s=10, keepalive_s=75, shutdown_s=5, connections=20)
Batches = list[list[str]]


@pytest.fixture
async def handled() -> Batches:
    """Return the targets of requests that were handled together, in their order."""
    return []


@pytest.fixture
async def arrives(handled: Batches, clock: ManualClock, logbook: Logbook) -> Callable[..., None]:
    """Return a function with which a request arrives."""

    def handle(arrived: Sequence[Arrived]) -> None:
        handled.append([request.target for request, _ in arrived])

    server = Server(handle, lambda _target, _headers: None, LIMITS, clock, logbook.logger)

    def arrive(target: str, body: bytes = b"") -> None:
        server.answer(Request("POST", target, CIMultiDict(), body, "", 0.0), _drop)

    return arrive


async def test_what_arrives_now_is_handled_together(arrives: Callable[..., None], handled: Batches) -> None:
    """In the order in which it came, without a delay of its own; what comes later is handled later."""
    for target in ("/1", "/2", "/3"):
        arrives(target)
    assert handled == []
    await asyncio.sleep(0)
    assert handled == [["/1", "/2", "/3"]]
    arrives("/4")
    await asyncio.sleep(0)
    assert handled == [["/1", "/2", "/3"], ["/4"]]


async def test_what_waits_is_bounded(arrives: Callable[..., None], handled: Batches) -> None:
    """Neither many requests nor large ones wait for others: they would take memory that nothing counts."""
    arrives("/small")
    arrives("/large", b"x" * 100_000)
    assert handled == [["/small", "/large"]]
    for number in range(1000):
        arrives(f"/{number}")
    assert len(handled) > 10
    await asyncio.sleep(0)
    assert [target for batch in handled[1:] for target in batch] == [f"/{number}" for number in range(1000)]


def _drop(_reply: Reply) -> None:
    pass
