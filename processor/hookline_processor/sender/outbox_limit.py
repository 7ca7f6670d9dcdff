"""The limit of the outbox: while it has too many messages, nothing that could add more is read."""

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

from aiojobs import Job

from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.redis.manager import Command, RedisConnectionManager
from hookline_shared.streams.redis_answers import raise_first_error
from hookline_shared.topics import OUTBOX

_POLL_S: Final = 1.0
_RESUMES_AT: Final = 0.9
_REMEDY: Final = "find out why messages wait: `hookline retry list --topic outbox`; events wait in Redis meanwhile"


class OutboxLimit:
    """Looks at the outboxes of the partitions that `owned` returns. Each may have an equal share of `limit` messages."""

    def __init__(
        self,
        redis: RedisConnectionManager,
        partitions: int,
        limit: int,
        owned: Callable[[], Collection[int]],
        clock: Clock,
        logger: Logger,
    ) -> None:
        self._redis = redis
        self._most = -(-limit // partitions)
        self._owned = owned
        self._clock = clock
        self._logger = logger
        self._full: set[int] = set()
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Start looking."""
        self._job = await supervisor.spawn("outbox limit", self._run())

    async def stop(self) -> None:
        """Stop looking."""
        if self._job is not None:
            await self._job.close()

    def is_full(self, partition: int) -> bool:
        """Whether `partition` reads messages that are to be sent, and nothing else."""
        return partition in self._full

    async def pass_once(self) -> None:
        """Measure the outboxes.

        Raises:
            BrokerUnavailableError: if Redis did not answer. What is known stays.

        """
        owned = sorted(self._owned())
        streams = [self._redis.keys.topic(partition, OUTBOX) for partition in owned]
        asked = [Command(stream, ("XLEN", stream)) for stream in streams]
        lengths = raise_first_error(await self._redis.pipeline("xlen", asked)) if asked else []
        full = {partition for partition, length in zip(owned, lengths, strict=True) if self._exceeds(partition, length)}
        if full and not self._full:
            self._logger.warning("outbox full", limit_per_partition=self._most, partitions=sorted(full), remedy=_REMEDY)
        self._full = full

    def _exceeds(self, partition: int, length: int) -> bool:
        return length >= (self._most * _RESUMES_AT if partition in self._full else self._most)

    async def _run(self) -> None:
        while True:
            with suppress(BrokerUnavailableError):  # the readiness check reports it
                await self.pass_once()
            await self._clock.sleep(_POLL_S)
