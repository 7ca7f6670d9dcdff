"""Settling verdicts in batches: while one batch is on its way to Redis, the next one gathers.

Settling is safe to repeat, so a batch that Redis did not confirm is simply sent again until it is; until then its events
stay in the window, which in the end stops the reading. If the process dies first, they are pending and handled again.

A settlement that Redis refuses, for what is in it, must not hold up the others: they are then sent one by one. Once another
processor has the partition, Redis refuses all. They are kept until the partition is abandoned, for the loss of it may have
been lost itself, with a master that died before its replica knew.
"""

import asyncio
from collections.abc import Callable, Iterable
from itertools import islice

from aiojobs import Job

from hookline_processor.in_flight import InFlightEvent
from hookline_processor.metrics import FENCED
from hookline_processor.partition.dead_letter import letter
from hookline_processor.retry import NEVER_FAILED, Record, encode_record
from hookline_processor.verdicts import Dead, Done, Retry, Verdict
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError, CommandRefusedError, FencedError
from hookline_shared.kinds import label_of
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.observability.metrics import EVENTS
from hookline_shared.streams.consume import Consumer, DeadLetterRecord, Settlements, record_name

_MAX_BATCH = 500
_PAUSE_S = 0.5

Settled = Callable[[InFlightEvent], None]
Outcome = Verdict | Record
"""What is to be written about an event: what has become of it, or a record alone."""


class Settler:
    """Settles the events of one partition in the order of their verdicts; `settled` is told of each that left Redis."""

    def __init__(self, consumer: Consumer, settled: Settled, clock: Clock, logger: Logger) -> None:
        self._consumer = consumer
        self._clock = clock
        self._logger = logger
        self._settled = settled
        self._waiting: dict[InFlightEvent, Outcome] = {}
        self._confirming: dict[InFlightEvent, asyncio.Future[None]] = {}
        self._fenced = False
        self._given_up = False
        self._singly = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor, name: str) -> None:
        """Begin to settle."""
        self._job = await supervisor.spawn(name, self._run())

    async def stop(self, timeout_s: float) -> None:
        """Settle what waits, for at most `timeout_s` seconds, then stop."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            pass  # what is left is pending, and handled again after the next start
        if self._job is not None:
            await self._job.close()

    def settle(self, held: InFlightEvent, verdict: Verdict) -> None:
        """Queue the `verdict` on `held`, in place of an earlier one that still waits."""
        self._queue(held, verdict)

    def keep(self, held: InFlightEvent) -> None:
        """Queue the record of `held`, as it is: nothing has become of it."""
        self._queue(held, held.record)

    async def record(self, held: InFlightEvent) -> None:
        """Do as `keep`, and return when Redis has it."""
        confirmed = self._confirming[held] = asyncio.get_running_loop().create_future()
        self.keep(held)
        try:
            await confirmed
        finally:
            del self._confirming[held]

    def give_up(self) -> None:
        """Settle nothing any more: another processor has the partition."""
        self._given_up = True
        self._waiting.clear()
        self._wake.clear()
        self._idle.set()

    def _queue(self, held: InFlightEvent, outcome: Outcome) -> None:
        if self._given_up:
            return
        held.recorded |= isinstance(outcome, Retry | Record)
        self._waiting.pop(held, None)
        self._waiting[held] = outcome
        self._idle.clear()
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await self._settle_batch()
            if not self._waiting:
                self._wake.clear()
                self._idle.set()

    async def _settle_batch(self) -> None:
        batch = dict(islice(self._waiting.items(), 1 if self._singly else _MAX_BATCH))
        self._singly = max(0, self._singly - 1)
        try:
            await self._send(batch)
        except FencedError as error:
            self._report_fence(error)
            await self._clock.sleep(_PAUSE_S)
        except CommandRefusedError as error:
            await self._set_aside(batch, error)
        except BrokerUnavailableError as error:
            self._logger.debug("settling waits for redis", events=len(self._waiting), error=str(error))
            await self._clock.sleep(_PAUSE_S)
        else:
            self._fenced = False
            self._forget(batch)

    def _report_fence(self, error: FencedError) -> None:
        if not self._fenced:
            FENCED.inc(len(self._waiting))
            self._logger.warning("settlements refused", events=len(self._waiting), reason=str(error))
        self._fenced = True

    async def _send(self, batch: dict[InFlightEvent, Outcome]) -> None:
        settlements = combine(batch.items(), self._clock.now_ms())
        written = await self._consumer.settle(settlements)
        if written < len(settlements.dead):
            self._logger.error(
                "dead letters not written: their entries are missing in redis", missing=len(settlements.dead) - written
            )

    def _forget(self, batch: dict[InFlightEvent, Outcome]) -> None:
        for held, outcome in batch.items():
            newest = self._waiting.get(held) is outcome
            if newest:
                del self._waiting[held]
            if isinstance(outcome, Record):
                self._confirm(held, newest=newest)
                continue
            name = type(outcome).__name__.lower()
            EVENTS.count(held.topic, label_of(held.event.kind), name)
            if held.settling is not None:
                held.settling = held.settling.confirmed(name, newest=newest)
            if not isinstance(outcome, Retry):
                self._settled(held)

    def _confirm(self, held: InFlightEvent, *, newest: bool) -> None:
        confirmed = self._confirming.get(held)
        if newest and confirmed is not None and not confirmed.done():
            confirmed.set_result(None)

    async def _set_aside(self, batch: dict[InFlightEvent, Outcome], error: CommandRefusedError) -> None:
        """Find out which one it is, by sending all that wait one by one; that one goes to the end, and is tried again."""
        if len(batch) > 1:
            self._singly = len(self._waiting)
            return
        for held in batch.keys() & self._waiting.keys():
            self._waiting[held] = self._waiting.pop(held)
            self._logger.error("redis refuses a settlement", entry_id=held.entry_id, topic=held.topic, error=str(error))
        await self._clock.sleep(_PAUSE_S)


def combine(batch: Iterable[tuple[InFlightEvent, Outcome]], now_ms: int) -> Settlements:
    """Return one set of settlements for `batch`, in which each event stands once."""
    settlements = Settlements()
    for held, outcome in batch:
        match outcome:
            case Retry(record) | (Record() as record) if record != NEVER_FAILED:
                settlements.failed[record_name(held.topic, held.entry_id)] = encode_record(record)
                continue
            case Retry() | Record():
                pass
            case Done():
                settlements.done.setdefault(held.topic, []).append(held.entry_id)
                if held.record.failures:
                    settlements.attempts.setdefault(held.topic, {})[held.entry_id] = held.record.failures + 1
            case Dead():
                extra = letter(outcome, held.topic, held.entry_id, now_ms)
                settlements.dead.append(DeadLetterRecord(held.topic, held.entry_id, extra))
        if held.recorded:
            settlements.recorded.append(record_name(held.topic, held.entry_id))
    return settlements
