"""What requests that have not arrived as a whole may take of memory together, and who gives it up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Final

import pytest

from hookline_ingress.http.heads import BYTES_PER_LINE
from tests.support.ingress.http_server import LIMITS, ServerHarness, connections, request, served
from tests.support.ingress.wire import Wire, connected
from tests.support.time.manual_clock import ManualClock
from tests.support.waiting import until

ON_UVLOOP = True

pytestmark = pytest.mark.timeout(method="thread")  # uvloop takes the exception of the other method for a callback's

HALF: Final = request("/half", "Content-Length: 500")
HELD: Final = len(HALF) + 2 * BYTES_PER_LINE
"""What it takes, with its two lines."""
LONG_HEAD: Final = b"POST /half HTTP/1.1\r\nX: "


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Yield what ends the connections of a test."""
    async with AsyncExitStack() as stack:
        yield stack


async def opened(stack: AsyncExitStack, harness: ServerHarness) -> Wire:
    return await stack.enter_async_context(connected(harness.port))


async def holds(harness: ServerHarness, held: int) -> None:
    await until(lambda: harness.memory.held == held, f"{held} bytes are held, and not {harness.memory.held}")


async def test_nothing_is_held_of_what_is_whole(harness: ServerHarness, stack: AsyncExitStack) -> None:
    """What arrived in parts and is answered, refused or broken off counts no more."""
    whole, refused, gone = [await opened(stack, harness) for _ in range(3)]
    whole.send(HALF + b"x" * 400)
    await holds(harness, HELD + 400)
    refused.send(b"POST /half HT")
    gone.send(LONG_HEAD)
    await holds(harness, HELD + 400 + 13 + len(LONG_HEAD))
    whole.send(b"x" * 100)
    assert (await whole.answer()).status == 200
    await holds(harness, 13 + len(LONG_HEAD))
    refused.send(b"\0\r\n\r\n")
    assert (await refused.answer()).status == 400
    await holds(harness, len(LONG_HEAD))
    gone.abort()
    await holds(harness, 0)
    assert harness.given_up == 0


async def test_largest_and_oldest_are_refused(harness: ServerHarness, stack: AsyncExitStack, clock: ManualClock) -> None:
    """What is small or has just come stays, and becomes a request."""
    small, large, middle, late = [await opened(stack, harness) for _ in range(4)]
    small.send(HALF)
    large.send(LONG_HEAD + b"x" * 12_000)
    middle.send(LONG_HEAD + b"x" * 6_000)
    await holds(harness, HELD + 2 * len(LONG_HEAD) + 18_000)
    await clock.advance(5)
    late.send(HALF + b"x" * 400)
    answered = asyncio.create_task(large.answer())
    late.send(b"x" * 100)
    assert (await late.answer()).status == 200
    late.send(LONG_HEAD + b"x" * 2_000)
    answer = await answered
    assert (answer.status, answer.headers["connection"]) == (503, "close")
    await holds(harness, HELD + 2 * len(LONG_HEAD) + 8_000)
    small.send(b"x" * 500)
    assert (await small.answer()).body == b"/half" + b"x" * 500
    assert harness.given_up == 1


async def test_answering_is_never_refused(harness: ServerHarness, stack: AsyncExitStack, clock: ManualClock) -> None:
    """A request that is being answered gets its answer. Those behind it are dropped, and the client sees that."""
    wires = [await opened(stack, harness) for _ in range(4)]
    for wire in wires:
        wire.send(request("/held"))
    await harness.has_taken(4)
    for wire in wires:
        wire.send(request("/next") * 200)  # 9 kB
    await until(lambda: harness.given_up >= 2, "the limit is kept")
    assert harness.memory.held <= LIMITS.memory
    harness.go_on.set()
    ends = []
    for wire in wires:
        answer = await wire.answer()
        assert answer.body == b"/held"
        ends.append(answer.headers.get("connection") == "close")
    assert sum(ends) == harness.given_up


async def test_requests_that_wait_for_their_turn_count(harness: ServerHarness, stack: AsyncExitStack) -> None:
    """Thousands of requests in one packet are held until they are answered, and all are answered if there is room."""
    wire = await opened(stack, harness)
    requests = request("/one") * 300
    assert len(requests) < LIMITS.memory
    wire.send(requests)
    assert [(await wire.answer()).body for _ in range(300)] == [b"/one"] * 300
    await holds(harness, 0)
    wire.send(request("/one") * 3000)
    bodies = await wire.rest()
    assert 0 < bodies.count(b"HTTP/1.1 200 ") < 3000
    await holds(harness, 0)


async def test_refused_ones_make_room_for_others(harness: ServerHarness, stack: AsyncExitStack) -> None:
    """However many send, genuine requests in between are answered, and the sum stays below the limit."""
    for _ in range(LIMITS.connections // 2):
        (await opened(stack, harness)).send(LONG_HEAD + b"x" * 5_000)
        genuine = await opened(stack, harness)
        await served(genuine)
        await genuine.close()
        assert harness.memory.held <= LIMITS.memory
    await until(lambda: harness.given_up == LIMITS.connections // 2 - 3, "all but three are refused")
    assert connections() >= 3
