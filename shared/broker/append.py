"""Writing events into their streams: one atomic script call for a whole batch."""

from collections.abc import Sequence
from enum import IntEnum

from shared import keys
from shared.broker.connection import RedisConnectionManager
from shared.event import FIELD_NAMES, Event, encode
from shared.partitions import partition_of


class Appended(IntEnum):
    """What became of one event; the values are the script's."""

    NEW = 1
    DUPLICATE = 0
    FULL = -1


_APPENDED = {appended.value: appended for appended in Appended}


class Appender:
    """Appends batches of events, dropping those whose dedupe key was seen within the window.

    `dedupe_window_s` is in seconds; `backlog_limit` counts a topic's unsettled events over all partitions, each of which
    may hold its even share.
    """

    def __init__(self, redis: RedisConnectionManager, partitions: int, dedupe_window_s: int, backlog_limit: int) -> None:
        self._redis = redis
        self._partitions = partitions
        self._script = redis.script("append")
        stream_limit = -(-backlog_limit // partitions)
        self._constants: list[str | bytes] = [
            str(dedupe_window_s * 1000),
            str(stream_limit),
            str(len(FIELD_NAMES)),
            *FIELD_NAMES,
        ]

    async def append(self, batch: Sequence[tuple[str, Event]], timeout_s: float) -> list[Appended]:
        """Append each (topic, event) of `batch`; gives what became of each, in the same order.

        Raises:
            BrokerUnavailableError: if Redis did not confirm. The events may be in Redis all the same; appending them again
                within the window is safe.

        """
        names: list[str] = []
        arguments = [*self._constants]
        for topic, event in batch:
            partition = partition_of(event.key, self._partitions)
            names += (keys.topic(partition, topic), keys.seen(partition, event.dedupe_key))
            arguments.append(event.id)
            arguments += encode(event)
        results: list[int] = await self._redis.call("append", self._script(names, arguments), timeout_s)
        return [_APPENDED[result] for result in results]
