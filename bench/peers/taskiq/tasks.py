"""The broker and its task. `taskiq worker bench.peers.taskiq.tasks:broker --workers 1 ...`.

For speed (https://taskiq-python.github.io/guide/cli.html): one worker process for the one core, uvloop, which the worker uses
where it is installed, a hundred tasks at once and some more prefetched, `--no-parse` since there is nothing to parse, and no
result backend. The broker reads a hundred entries at a time, which is its default.

Careful: what its documentation names for failures and dead workers, retries
(https://taskiq-python.github.io/available-components/middlewares.html), a shorter time after which pending entries are claimed,
a time-out for the lock of those that claim, and a consumer group that reads from the beginning (docstring of the broker).
"""

import os
from typing import Any, Final

from taskiq import SimpleRetryMiddleware
from taskiq_redis import RedisStreamBroker

from bench.peers import mode, work

_SETTINGS: Final[dict[str, Any]] = (
    {"idle_timeout": 5000, "unacknowledged_lock_timeout": 5, "consumer_id": "0"} if mode.CAREFUL else {}
)

broker = RedisStreamBroker(os.environ["REDIS_URL"], **_SETTINGS)
if mode.CAREFUL:
    broker = broker.with_middlewares(SimpleRetryMiddleware(default_retry_count=5, default_retry_label=True))


@broker.task
async def handle(number: int, form: str) -> None:
    """Do the job."""
    await work.run(number)
