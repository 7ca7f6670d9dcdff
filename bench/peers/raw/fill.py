"""Append one entry per line of standard input. `python -m bench.peers.raw.fill`."""

import os
import sys
from typing import Final

from redis import Redis

STREAM: Final = "jobs"
GROUP: Final = "bench"
_BATCH: Final = 500


def main() -> None:
    """Append them in pipelines."""
    redis = Redis.from_url(os.environ["REDIS_URL"])
    redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    pipe = redis.pipeline(transaction=False)
    for number, form in enumerate(sys.stdin):
        pipe.xadd(STREAM, {"number": number, "form": form.rstrip()})
        if len(pipe) == _BATCH:
            pipe.execute()
    pipe.execute()


if __name__ == "__main__":
    main()
