"""Slow links to the shared Redis, and large events."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from hookline_shared.event import Event
from hookline_shared.redis.manager import RedisConnectionManager
from tests.integration.conftest import Connect
from tests.support.events import event
from tests.support.redis_server import RedisServer
from tests.support.slow_link import SlowLink

MB = 1_000_000
SCALE = int(os.environ.get("SLOW_LINKS_SCALE", "1"))
"""By how much more events there are; `make slow-links` has 50."""
NUMBER = 40 * SCALE

OpenLink = Callable[[float], Awaitable[SlowLink]]
Reach = Callable[[SlowLink], RedisConnectionManager]


@pytest.fixture
async def open_link(redis_server: RedisServer) -> AsyncIterator[OpenLink]:
    """Yield a maker of links to the shared server with a rate in bytes per second."""
    async with AsyncExitStack() as stack:

        async def open_link(rate: float) -> SlowLink:
            return await stack.enter_async_context(SlowLink(redis_server.port, rate))

        yield open_link


@pytest.fixture
def reach(connect: Connect) -> Reach:
    """Return a maker of connections through a link, whose time limit is short."""
    return lambda link: connect(link.url, command_timeout_s=1.0, breaker_failures=1000, blocking_pool_size=2)


def large(key: str, size: int = MB) -> Event:
    """Return an event with a large body."""
    return event(key=key, body=b"Body=" + b"x" * (size - 5))
