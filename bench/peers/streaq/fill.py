"""Enqueue one task per line of standard input. `python -m bench.peers.streaq.fill`."""

import asyncio
import sys

from bench.peers.batches import batches
from bench.peers.streaq.tasks import handle, worker


async def fill() -> None:
    """Enqueue them, many at a time."""
    async with worker:
        for batch in batches(sys.stdin):
            await worker.enqueue_many([handle.enqueue(number, form) for number, form in batch])


if __name__ == "__main__":
    asyncio.run(fill())
