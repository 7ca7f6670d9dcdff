"""Read a hundred entries, call an async function with each, acknowledge the hundred. `python -m bench.peers.raw.worker`.

Batches and hiredis are what redis-py's documentation recommends for speed
(https://redis.readthedocs.io/en/stable/#redis-py-python-client-for-redis). Nothing is ordered, retried or taken over.
"""

import os
from typing import Any, Final, cast

import uvloop
from redis.asyncio import Redis

from bench.peers import work
from bench.peers.raw.fill import GROUP, STREAM

_COUNT: Final = 100
_BLOCK_MS: Final = 2000


async def consume() -> None:
    """Work until killed."""
    redis = Redis.from_url(os.environ["REDIS_URL"], protocol=2)
    while True:
        answer = await redis.xreadgroup(GROUP, "one", {STREAM: ">"}, count=_COUNT, block=_BLOCK_MS)
        for _, entries in cast(list[Any], answer):
            for _, fields in entries:
                await work.run(int(fields[b"number"]))
            await redis.xack(STREAM, GROUP, *(entry_id for entry_id, _ in entries))


if __name__ == "__main__":
    uvloop.run(consume())
