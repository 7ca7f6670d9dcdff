"""Slow links to the shared Redis, and large events."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import cache
from typing import Any, cast

import pytest
import redis

from hookline_shared.event import Event
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.topics import MESSAGES
from tests.integration.conftest import Connect
from tests.support.faults.slow_link import SlowLink
from tests.support.processor.events import event
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS

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
    return event(key=key, body=_body(size))


@cache
def _body(size: int) -> bytes:
    return b"Body=" + b"x" * (size - 5)


def stored_ids(client: "redis.Redis", topic: str = MESSAGES) -> list[str]:
    """Return the ids of the large events of `topic`, partition by partition, without reading all at once."""
    found: list[str] = []
    for partition in range(PARTITIONS):
        stream, first = keys.topic(partition, topic), "-"
        while page := cast("list[Any]", client.xrange(stream, first, count=20)):
            found += [fields[b"id"].decode() for _, fields in page if len(fields[b"body"]) > MB // 50]
            first = f"({page[-1][0].decode()}"
    return found
