"""Kick one task per line of standard input. `python -m bench.peers.taskiq.fill`."""

import asyncio
import os
import sys

from bench.peers.batches import batches
from bench.peers.taskiq.tasks import broker, handle


async def fill() -> None:
    """Kick them, many at a time."""
    if "BENCH_BEFORE_WORKER" not in os.environ:
        await broker.startup()  # makes the consumer group, which by default reads nothing that came before it
    for batch in batches(sys.stdin):
        await asyncio.gather(*(handle.kiq(number, form) for number, form in batch))
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(fill())
