"""The app and its task. `celery --app bench.peers.celery.tasks worker --pool threads ...`.

For speed (https://docs.celeryq.dev/en/stable/userguide/optimizing.html): results ignored, a large prefetch multiplier as for
any short task, neither gossip, mingle nor heartbeat; and the pool of threads, which was a little faster here than prefork and
solo.

Careful: what it names for tasks that must not be lost, `acks_late` and `reject_on_worker_lost`, automatic retries
(https://docs.celeryq.dev/en/stable/userguide/tasks.html), and a short `visibility_timeout`
and `unacked_restore_throttle`, after which Redis' broker hands
out again what nobody acknowledged (https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/redis.html).
"""

import os
from typing import Any, Final

from celery import Celery

from bench.peers import mode, work

_OPTIONS: Final[dict[str, Any]] = (
    {"acks_late": True, "reject_on_worker_lost": True, "autoretry_for": (work.Refused,), "default_retry_delay": 1}
    if mode.CAREFUL
    else {}
)

app = Celery("bench", broker=os.environ["REDIS_URL"])
app.conf.update(worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)
if mode.FAST:
    app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=128)
if mode.CAREFUL:
    app.conf.broker_transport_options = {"visibility_timeout": 5, "unacked_restore_throttle": 1}


@app.task(**_OPTIONS)
def handle(number: int, form: str) -> None:
    """Do the job."""
    work.run_blocking(number)
