"""Enqueue one job per line of standard input. `python -m bench.peers.arq.fill`."""

import asyncio
import sys

from arq import create_pool

from bench.peers.arq.tasks import WorkerSettings
from bench.peers.batches import batches


async def fill() -> None:
    """Enqueue them, many at a time."""
    pool = await create_pool(WorkerSettings.redis_settings)
    for batch in batches(sys.stdin):
        await asyncio.gather(*(pool.enqueue_job("handle", number, form) for number, form in batch))
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(fill())
