"""Publish one message per line of standard input. `python -m bench.peers.faststream.fill`."""

import asyncio
import os
import sys

from faststream.redis import RedisBroker
from redis.asyncio import Redis

from bench.peers.batches import batches
from bench.peers.faststream.app import GROUP, STREAM


async def fill() -> None:
    """Publish them, many at a time."""
    url = os.environ["REDIS_URL"]
    if "BENCH_BEFORE_WORKER" not in os.environ:
        async with Redis.from_url(url) as redis:
            await redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    async with RedisBroker(url, logger=None) as broker:
        for batch in batches(sys.stdin):
            await asyncio.gather(*(broker.publish({"number": number, "form": form}, stream=STREAM) for number, form in batch))


if __name__ == "__main__":
    asyncio.run(fill())
