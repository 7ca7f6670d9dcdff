"""The worker's settings and its task. `arq bench.peers.arq.tasks.WorkerSettings`.

For speed (https://arq-docs.helpmanual.io/#arq.worker.Worker): many jobs at once, a short `poll_delay` (at the default of 0.5
s a queue of short jobs is waited for most of the time), no results kept, and uvloop.

Careful: a short `job_timeout`, after which a dead worker's jobs are run again, and the retry that arq makes only for those
that raise `Retry` (https://arq-docs.helpmanual.io/#retrying-jobs-and-cancellation).
"""

import logging
import os
from typing import Any, ClassVar

import uvloop
from arq import Retry
from arq.connections import RedisSettings

from bench.peers import mode, work

uvloop.install()
logging.disable(logging.INFO)


async def handle(_context: dict[str, Any], number: int, form: str) -> None:
    """Do the job."""
    try:
        await work.run(number)
    except work.Refused as error:
        if mode.CAREFUL:
            raise Retry(defer=1) from error
        raise


class WorkerSettings:
    """What arq's command line reads."""

    functions: ClassVar = [handle]
    redis_settings = RedisSettings.from_dsn(os.environ["REDIS_URL"])
    if mode.FAST:
        max_jobs = 1000
        queue_read_limit = 5000
        poll_delay = 0.01
        keep_result = 0
    if mode.CAREFUL:
        job_timeout = 5
