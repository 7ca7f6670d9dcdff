"""Settling verdicts in batches: while one batch is being written to Redis, the next one gathers.

Settling is idempotent, so a batch that Redis did not confirm is sent again until it is confirmed. Until then its events stay
in the window, which eventually stops the reader. If the process dies first, they are pending and handled again.

If Redis refuses a batch because of one settlement, the settlements are sent one by one, so that the others succeed. After
another processor acquired the partition, Redis refuses all of them. They are kept until the partition is abandoned, because a
failover to a replica can undo the acquisition.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Final

from aiojobs import Job

from hookline_processor.attempts.attempt_log import AttemptLog
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.metrics import FENCED
from hookline_processor.partition.outcomes import Outcome, Wait, combine
from hookline_processor.replies.outputs import NOTHING
from hookline_processor.retry_record import Record
from hookline_processor.verdicts import DONE, Dead, Done, Verdict
from hookline_shared.catalogue.kinds import label_of
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError, CommandRefusedError, FencedError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.observability.metrics import EVENTS
from hookline_shared.streams.consume import Consumer

_MAX_BATCH: Final = 500
_GATHERED: Final = 100
"""The outcomes for which a batch is not held back any longer."""
_GATHER_S: Final = 0.02
_MAX_COPIED_BYTES: Final = 4 << 20
"""Redis copies the events of a batch that become dead letters or ledger entries, and does nothing else meanwhile."""
_MAX_OUTPUT_BYTES: Final = 1 << 20
"""It takes the messages of a batch apart, and does nothing else meanwhile either."""
_RETRY_PAUSE_S: Final = 0.5


Settled = Callable[[InFlightEvent], None]
Waiting = Callable[[Wait], None]
HasBacklog = Callable[[], bool]


def _ignore(_in_flight: InFlightEvent) -> None:
    """Do nothing."""


class Settler:
    """Settles the events of one partition in the order of their verdicts.

    Calls `settled` for each event that left Redis, `waits` for each lane that waits there, and `stale` for each event that is
    attempted again, since another one has changed the memory that it has read. While `has_backlog`, more events are ready than
    can run, and batches gather for some milliseconds: few large ones leave more time for handlers. `copies` is whether Redis
    copies events that are done, to the ledger.
    """

    def __init__(
        self,
        consumer: Consumer,
        settled: Settled,
        waits: Waiting,
        has_backlog: HasBacklog,
        clock: Clock,
        logger: Logger,
        *,
        stale: Settled = _ignore,
        copies: bool = False,
    ) -> None:
        self._consumer = consumer
        self._waits = waits
        self._stale = stale
        self._has_backlog = has_backlog
        self._copies = copies
        self._clock = clock
        self._logger = logger
        self._log = AttemptLog(logger)
        self._settled = settled
        self._queued: dict[InFlightEvent, Outcome] = {}
        self._confirmations: dict[InFlightEvent, asyncio.Future[None]] = {}
        self._fenced = False
        self._abandoned = False
        self._one_by_one_left = 0
        self._wake = asyncio.Event()
        self._gathered = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor, name: str) -> None:
        """Start settling."""
        self._job = await supervisor.spawn(name, self._run())

    async def stop(self, timeout_s: float) -> None:
        """Settle queued verdicts for at most `timeout_s` seconds, then stop."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            pass  # the remaining events are pending, and handled again by the next owner
        if self._job is not None:
            await self._job.close()

    def settle(self, in_flight: InFlightEvent, outcome: Done | Dead | Wait) -> None:
        """Queue the outcome of `in_flight`, replacing an earlier one that is still queued."""
        self._queue(in_flight, outcome)

    def queue_record(self, in_flight: InFlightEvent) -> None:
        """Queue the retry record of `in_flight`, without a verdict."""
        self._queue(in_flight, in_flight.record)

    async def write_record(self, in_flight: InFlightEvent) -> None:
        """Queue the retry record of `in_flight`, and wait until Redis has confirmed it."""
        confirmed = self._confirmations[in_flight] = asyncio.get_running_loop().create_future()
        self._gathered.set()
        self.queue_record(in_flight)
        try:
            await confirmed
        finally:
            del self._confirmations[in_flight]

    def give_up(self) -> None:
        """Discard all queued verdicts: another processor has the partition."""
        self._abandoned = True
        self._queued.clear()
        self._wake.clear()
        self._idle.set()

    def _queue(self, in_flight: InFlightEvent, outcome: Outcome) -> None:
        if self._abandoned:
            return
        in_flight.recorded |= isinstance(outcome, Record)
        if in_flight in self._queued:
            del self._queued[in_flight]
        self._queued[in_flight] = outcome
        if len(self._queued) == 1:
            self._idle.clear()
            self._wake.set()
        elif len(self._queued) == _GATHERED:
            self._gathered.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            if len(self._queued) < _GATHERED and not self._confirmations and self._has_backlog():
                await self._gather()
            await self._settle_batch()
            if not self._queued:
                self._wake.clear()
                self._idle.set()

    async def _gather(self) -> None:
        self._gathered.clear()
        timer = self._clock.call_later(_GATHER_S, self._gathered.set)
        await self._gathered.wait()
        timer.cancel()

    async def _settle_batch(self) -> None:
        batch = self._next_batch()
        self._one_by_one_left = max(0, self._one_by_one_left - 1)
        try:
            stale = await self._send(batch)
        except FencedError as error:
            self._report_fence(error)
            await self._clock.sleep(_RETRY_PAUSE_S)
        except CommandRefusedError as error:
            await self._set_aside(batch, error)
        except BrokerUnavailableError as error:
            self._logger.debug("settling waits for redis", events=len(self._queued), error=str(error))
            await self._clock.sleep(_RETRY_PAUSE_S)
        else:
            self._fenced = False
            self._conclude(batch, stale)

    def _next_batch(self) -> dict[InFlightEvent, Outcome]:
        most = 1 if self._one_by_one_left else _MAX_BATCH
        batch: dict[InFlightEvent, Outcome] = {}
        copied = sent = 0
        for in_flight, outcome in self._queued.items():
            batch[in_flight] = outcome
            if self._copies or isinstance(outcome, Dead):
                copied += len(in_flight.event.body) + sum(len(member.event.body) for member in in_flight.burst)
            if outcome is not DONE and isinstance(outcome, Done) and outcome.outputs is not NOTHING:
                sent += outcome.outputs.size
            if len(batch) == most or copied >= _MAX_COPIED_BYTES or sent >= _MAX_OUTPUT_BYTES:
                break
        return batch

    def _report_fence(self, error: FencedError) -> None:
        if not self._fenced:
            FENCED.inc(len(self._queued))
            self._logger.warning("settlements refused", events=len(self._queued), reason=str(error))
        self._fenced = True

    async def _send(self, batch: dict[InFlightEvent, Outcome]) -> Collection[tuple[str, str]]:
        """Settle `batch`. Return the stale events, as topic and entry id."""
        settlements = combine(batch.items(), self._clock.now_ms())
        written, gone, stale = await self._consumer.settle(settlements)
        if written < len(settlements.dead):
            self._logger.error(
                "dead letters not written: their entries are missing in redis", missing=len(settlements.dead) - written
            )
        for topic, entry_id in gone:
            self._log.gone(topic, entry_id)
        return stale

    def _conclude(self, batch: Mapping[InFlightEvent, Outcome], stale: Collection[tuple[str, str]]) -> None:
        for in_flight, outcome in batch.items():
            newest = self._queued.get(in_flight) is outcome
            if newest:
                del self._queued[in_flight]
            if stale and (in_flight.topic, in_flight.entry_id) in stale:
                self._return_stale(in_flight, newest=newest)
            elif isinstance(outcome, Record):
                self._confirm(in_flight, newest=newest)
            elif isinstance(outcome, Wait):
                if outcome.verdict is not None:
                    self._count(in_flight, outcome.verdict, newest=newest)
                self._waits(outcome)
            else:
                self._count(in_flight, outcome, newest=newest)
                self._settled(in_flight)
                for member in in_flight.burst:
                    self._count(member, outcome, newest=newest)
                    self._settled(member)

    def _return_stale(self, in_flight: InFlightEvent, *, newest: bool) -> None:
        self._logger.debug("memory has changed meanwhile", topic=in_flight.topic, entry_id=in_flight.entry_id)
        if in_flight.settling is not None:
            in_flight.settling = in_flight.settling.confirmed("stale", newest=newest)
        self._stale(in_flight)

    def _count(self, in_flight: InFlightEvent, verdict: Verdict, *, newest: bool) -> None:
        name = type(verdict).__name__.lower()
        EVENTS.count(in_flight.topic, label_of(in_flight.event.kind), name)
        if in_flight.settling is not None:
            in_flight.settling = in_flight.settling.confirmed(name, newest=newest)

    def _confirm(self, in_flight: InFlightEvent, *, newest: bool) -> None:
        confirmed = self._confirmations.get(in_flight)
        if newest and confirmed is not None and not confirmed.done():
            confirmed.set_result(None)

    async def _set_aside(self, batch: dict[InFlightEvent, Outcome], error: CommandRefusedError) -> None:
        """Send the queued settlements one by one to find the refused one. It goes to the end of the queue and is sent again."""
        if len(batch) > 1:
            self._one_by_one_left = len(self._queued)
            return
        for in_flight in batch.keys() & self._queued.keys():
            self._queued[in_flight] = self._queued.pop(in_flight)
            self._logger.error(
                "redis refuses a settlement", entry_id=in_flight.entry_id, topic=in_flight.topic, error=str(error)
            )
        await self._clock.sleep(_RETRY_PAUSE_S)
