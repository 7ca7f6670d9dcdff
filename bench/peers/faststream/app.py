"""The subscriber. `faststream run bench.peers.faststream.app:app`.

For speed: uvloop, which its command line uses where it is installed; a consumer group that reads a hundred entries at a time
(`max_records`), a hundred messages at once (`max_workers`,
https://faststream.ag2.ai/latest/getting-started/subscription/concurrency/), and no validation by Pydantic, which took a tenth
of the time (`apply_types`, https://faststream.ag2.ai/latest/getting-started/subscription/#message-body-serialization).

Careful: what its documentation names for a consumer that died, a second subscriber that claims what has been pending for a
while (https://faststream.ag2.ai/latest/redis/streams/claiming/), and acknowledging only what succeeded
(https://faststream.ag2.ai/latest/getting-started/acknowledgement/). Not `last_id="0"`: with it a new consumer group would begin
at the beginning, but a worker that finds its group there reads nothing new any more.
"""

import os
from typing import Any, Final

from faststream import AckPolicy, FastStream
from faststream.redis import RedisBroker, StreamSub

from bench.peers import mode, work

STREAM: Final = "jobs"
GROUP: Final = "bench"
_AT_ONCE: Final = 100
_CLAIM_AFTER_MS: Final = 5000
_SUBSCRIBER: Final[dict[str, Any]] = {"max_workers": _AT_ONCE} if mode.FAST else {}
_READ: Final[dict[str, Any]] = {"max_records": _AT_ONCE} if mode.FAST else {}
_BROKER: Final[dict[str, Any]] = {"apply_types": False} if mode.FAST else {}
_POLICY: Final[dict[str, Any]] = {"ack_policy": AckPolicy.NACK_ON_ERROR} if mode.CAREFUL else {}

broker = RedisBroker(os.environ["REDIS_URL"], logger=None, **_BROKER)
app = FastStream(broker, logger=None)


@broker.subscriber(stream=StreamSub(STREAM, group=GROUP, consumer="one", **_READ), **_SUBSCRIBER, **_POLICY)
async def handle(message: dict[str, str | int]) -> None:
    """Do the job."""
    await work.run(int(message["number"]))


if mode.CAREFUL:

    @broker.subscriber(stream=StreamSub(STREAM, group=GROUP, consumer="two", min_idle_time=_CLAIM_AFTER_MS), **_POLICY)
    async def rescue(message: dict[str, str | int]) -> None:
        """Do a job that somebody else left."""
        await work.run(int(message["number"]))
