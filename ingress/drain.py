"""Moving events from the spool to Redis once Redis takes them again, oldest first."""

from collections.abc import Sequence
from random import random
from typing import Final

from aiojobs import Job

from ingress.metrics import count_drained
from ingress.spool import Spool, Spooled
from shared.broker.append import Appended, Appender
from shared.broker.connection import RedisConnectionManager
from shared.clock import Clock
from shared.errors import BrokerUnavailableError
from shared.logs import Logger
from shared.partitions import partition_of
from shared.service import Supervisor

_Stream = tuple[str, int]
"""Topic and partition."""

_TAKEN: Final = (Appended.NEW, Appended.DUPLICATE)
_BATCH: Final = 200
_TIMEOUT_S: Final = 2.0
_LEAST_DELAY_S: Final = 0.1
_MOST_DELAY_S: Final = 2.0


class Drain:
    """Empties `spool` through `appender`.

    Events that Redis does not take stay, and with them all later ones of the same stream, so that none overtakes another; those
    of other streams go on. Then it waits, longer each time, and begins anew.
    """

    def __init__(
        self,
        spool: Spool,
        appender: Appender,
        redis: RedisConnectionManager,
        partitions: int,
        clock: Clock,
        logger: Logger,
    ) -> None:
        self._spool = spool
        self._appender = appender
        self._redis = redis
        self._partitions = partitions
        self._clock = clock
        self._logger = logger
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Begin to drain, now and whenever something lies in the spool."""
        self._job = await supervisor.spawn("drain of the spool", self._run())

    async def stop(self) -> None:
        """Stop; what is left stays for the next start."""
        if self._job is not None:
            await self._job.close()
        if self._spool.events:
            self._logger.warning(
                "events stay in the spool", events=self._spool.events, remedy="they are drained at the next start"
            )

    async def _run(self) -> None:
        await self._redis.monitor.wait_ready()
        while True:
            await self._spool.wait_filled()
            self._logger.warning("webhooks go through the spool", events=self._spool.events)
            await self._empty()
            self._logger.info("the spool is empty again")

    async def _empty(self) -> None:
        delay_s = 0.0
        while self._spool.events:
            moved = await self.move()
            delay_s = 0.0 if moved else min(_MOST_DELAY_S, 2 * delay_s or _LEAST_DELAY_S)
            await self._clock.sleep(delay_s * (0.5 + random() / 2))  # noqa: S311 - jitter, not a secret

    async def move(self) -> int:
        """Offer every event that lies there to Redis once, unless Redis is away altogether; gives how many it took."""
        stuck: set[_Stream] = set()
        moved = last = 0
        while found := await self._spool.oldest(last, _BATCH):
            last = found[-1].id
            offered = [one for one in found if self._stream(one) not in stuck]
            results = await self._offer(offered)
            taken = [one.id for one, result in zip(offered, results, strict=True) if result in _TAKEN]
            stuck.update(self._stream(one) for one, result in zip(offered, results, strict=True) if result not in _TAKEN)
            await self._spool.remove(taken)
            moved += len(taken)
            if self._is_away(results):
                break
        return moved

    async def _offer(self, offered: list[Spooled]) -> list[Appended | BrokerUnavailableError]:
        if not offered:
            return []
        results = await self._appender.append([(one.topic, one.event) for one in offered], _TIMEOUT_S)
        for result in results:
            if result in _TAKEN:
                count_drained("new" if result is Appended.NEW else "duplicate").inc()
        return results

    def _is_away(self, results: Sequence[Appended | BrokerUnavailableError]) -> bool:
        """Tell whether trying the rest is of no use; in a cluster, other masters may still be there."""
        return not self._redis.clustered and any(isinstance(result, BrokerUnavailableError) for result in results)

    def _stream(self, one: Spooled) -> _Stream:
        return one.topic, partition_of(one.event.key, self._partitions)
