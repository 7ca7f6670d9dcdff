"""Moves events from the spool to Redis once Redis accepts them again, oldest first."""

from collections.abc import Sequence
from random import random
from typing import Final

from aiojobs import Job

from hookline_ingress.metrics import count_drained
from hookline_ingress.spool.spool import Spool, SpooledEvent, SpoolError
from hookline_shared.batch_size import BatchSize
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError, CommandRefusedError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.partitions import partition_of
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appended, Appender

_Stream = tuple[str, int]
"""Topic and partition."""
_Result = Appended | BrokerUnavailableError

_TAKEN: Final = {Appended.NEW: "new", Appended.DUPLICATE: "duplicate", Appended.REUSED: "dead"}
_BATCH: Final = 200
_TIMEOUT_S: Final = 2.0
_PAUSE_S: Final = 0.01
"""Pause between passes that moved everything, in which more events gather."""
_LEAST_DELAY_S: Final = 0.1
_MOST_DELAY_S: Final = 2.0


class Drain:
    """Empties `spool` through `appender`.

    Events that Redis does not accept stay, and with them all later ones of the same stream, so that none overtakes another;
    those of other streams are moved. The next pass follows after a delay that grows each time. `obstacle` is the reason why
    events stayed in the last pass, None if none did. Passes go on while the disk takes no writes, so that it is known
    when it does.
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
        self._size = BatchSize(_BATCH, first=_BATCH)
        self.obstacle: str | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Drain the spool now and whenever it has events."""
        self._job = await supervisor.spawn("drain of the spool", self._run())

    async def stop(self) -> None:
        """Stop; events that are left are drained at the next start."""
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
            if filled := bool(self._spool.bytes):
                self._logger.warning("webhooks go through the spool", events=self._spool.events)
            await self._empty()
            if filled:
                self._logger.info("the spool is empty again")

    async def _empty(self) -> None:
        delay_s = 0.0
        while self._spool.bytes or self._spool.unremoved or self._spool.problem:
            self._note(await self._move_safely())
            hindered = self.obstacle or self._spool.unremoved or self._spool.problem
            delay_s = min(_MOST_DELAY_S, max(2 * delay_s, _LEAST_DELAY_S)) if hindered else _PAUSE_S
            await self._clock.sleep(delay_s * (0.5 + random() / 2))  # noqa: S311 - jitter, not a secret

    async def _move_safely(self) -> str | None:
        try:
            return await self.move()
        except SpoolError as error:  # a full disk must not stop the service: it would only come back to the same disk
            return str(error)

    async def move(self) -> str | None:
        """Send every event in the spool to Redis once, unless Redis is down; return why events stayed, None if none did.

        Raises:
            SpoolError: if the spool cannot be read. A disk that takes no writes is no obstacle.

        """
        await self._spool.tidy()
        stuck: dict[_Stream, str] = {}
        last = 0
        while self._spool.bytes and (found := await self._spool.oldest(last, self._size.count)):
            last = found[-1].id
            offered = [one for one in found if self._stream(one) not in stuck]
            results = await self._offer(offered)
            self._report_dead(results.count(Appended.REUSED))
            for one, result in zip(offered, results, strict=True):
                if result not in _TAKEN:
                    stuck.setdefault(self._stream(one), _reason(one, result))
            await self._spool.remove([one.id for one, result in zip(offered, results, strict=True) if result in _TAKEN])
            if self._is_away(results):
                break
        return next(iter(stuck.values()), None)

    async def _offer(self, offered: Sequence[SpooledEvent]) -> list[_Result]:
        """Send events together; if Redis refuses the content, then stream by stream, so that one does not block the others."""
        results = await self._append(offered)
        streams = set(map(self._stream, offered))
        if len(streams) == 1 or not any(isinstance(result, CommandRefusedError) for result in results):
            return results
        found: dict[int, _Result] = {}
        for stream in streams:
            own = [one for one in offered if self._stream(one) == stream]
            found.update(zip((one.id for one in own), await self._append(own), strict=True))
        return [found[one.id] for one in offered]

    async def _append(self, offered: Sequence[SpooledEvent]) -> list[_Result]:
        if not offered:
            return []
        results = await self._appender.append_accepted([(one.topic, one.event) for one in offered], _TIMEOUT_S)
        if any(map(_is_outage, results)):
            self._size.failed()
        else:
            self._size.succeeded(len(offered), sum(len(one.event.body) for one in offered))
        for result in results:
            if isinstance(result, Appended) and result in _TAKEN:
                count_drained(_TAKEN[result]).inc()
        return results

    def _is_away(self, results: Sequence[_Result]) -> bool:
        """Whether Redis is down, so that the rest need not be tried; in a cluster, other masters may still answer."""
        return not self._redis.clustered and any(map(_is_outage, results))

    def _note(self, obstacle: str | None) -> None:
        if obstacle and not self.obstacle:
            self._logger.warning("events cannot leave the spool yet", events=self._spool.events, reason=obstacle)
        self.obstacle = obstacle

    def _report_dead(self, events: int) -> None:
        if events:
            self._logger.error(
                "events from the spool are dead letters: their signatures were used for other events",
                events=events,
                remedy="hookline dead list --reason reused; replay those that are genuine",
            )

    def _stream(self, one: SpooledEvent) -> _Stream:
        return one.topic, partition_of(one.event.key, self._partitions)


def _reason(one: SpooledEvent, result: _Result) -> str:
    return f"the backlog of topic {one.topic} is full" if result is Appended.FULL else str(result)


def _is_outage(result: _Result) -> bool:
    return isinstance(result, BrokerUnavailableError) and not isinstance(result, CommandRefusedError)
