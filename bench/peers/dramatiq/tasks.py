"""The broker and its actor. `dramatiq bench.peers.dramatiq.tasks --processes 1 --threads 8`.

For speed (https://dramatiq.io/performance.html, https://dramatiq.io/advanced.html): one process for the one core, its default
of eight threads, many messages prefetched (`dramatiq_queue_prefetch`, in its catalogue), and none of the middleware that is
not needed to get work done. Retries come with it.

Careful: a shorter time after which a dead worker's messages are run again (`heartbeat_timeout` of the broker), looked for at
every turn (`maintenance_chance`).
"""

import logging
import os
from typing import Any, Final

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Retries

from bench.peers import mode, work

_SETTINGS: Final[dict[str, Any]] = (
    {"middleware": [Retries()]}
    if mode.FAST
    else {"heartbeat_timeout": 5000, "maintenance_chance": 1_000_000}
    if mode.CAREFUL
    else {}
)
_BACKOFF: Final[dict[str, Any]] = {"min_backoff": 1000, "max_backoff": 1000} if mode.CAREFUL else {}

logging.disable(logging.INFO)
broker = RedisBroker(url=os.environ["REDIS_URL"], **_SETTINGS)
dramatiq.set_broker(broker)


@dramatiq.actor(**_BACKOFF)
def handle(number: int, form: str) -> None:
    """Do the job."""
    work.run_blocking(number)
