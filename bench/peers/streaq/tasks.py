"""The worker and its task. `streaq run bench.peers.streaq.tasks:worker`.

For speed (https://streaq.readthedocs.io/en/latest/worker.html and .../integrations.html): uvloop, 32 tasks at once as in its
own benchmark (more made it no faster), and no results kept.

Careful: a shorter time after which a dead worker's tasks are taken over. Retrying is something a task asks for, by raising
`StreaqRetry` (https://streaq.readthedocs.io/en/latest/task.html).
"""

import os
from datetime import timedelta
from typing import Any, Final

from streaq import StreaqRetry, Worker

from bench.peers import mode, work

_SETTINGS: Final[dict[str, Any]] = (
    {"concurrency": 32} if mode.FAST else {"idle_timeout": timedelta(seconds=5)} if mode.CAREFUL else {}
)

worker = Worker(
    redis_url=os.environ["REDIS_URL"],
    anyio_kwargs={"use_uvloop": True},
    **_SETTINGS,
)


@worker.task(ttl=0, silent=True)
async def handle(number: int, form: str) -> None:
    """Do the job."""
    try:
        await work.run(number)
    except work.Refused as error:
        if mode.CAREFUL:
            raise StreaqRetry("once more", delay=1) from error
        raise
