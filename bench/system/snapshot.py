"""A dump of a Redis server that can be restored: appending a backlog for each round takes too long."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from redis import Redis

_BATCH: Final = 500


class Dumped(NamedTuple):
    """A key, its remaining life in milliseconds (0: for ever), and its value as Redis dumps it."""

    key: bytes
    ttl_ms: int
    value: bytes


class Snapshot:
    """The dumped keys."""

    def __init__(self, dumped: list[Dumped]) -> None:
        self._dumped = dumped

    @classmethod
    def take(cls, client: "Redis") -> "Snapshot":
        """Read everything."""
        dumped: list[Dumped] = []
        for keys in _batches(client.scan_iter(count=_BATCH)):
            pipe = client.pipeline(transaction=False)
            for key in keys:
                pipe.pttl(key)
                pipe.dump(key)
            answers = pipe.execute()
            pairs = zip(keys, answers[::2], answers[1::2], strict=True)
            dumped += [Dumped(key, max(ttl, 0), value) for key, ttl, value in pairs if value is not None]
        return cls(dumped)

    def lay(self, client: "Redis") -> None:
        """Replace the content of the server with this."""
        client.execute_command("FLUSHALL")
        for batch in _batches(iter(self._dumped)):
            pipe = client.pipeline(transaction=False)
            for one in batch:
                pipe.restore(one.key, one.ttl_ms, one.value)
            pipe.execute()


def _batches(values: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(values)
    while batch := list(islice(iterator, _BATCH)):
        yield batch
