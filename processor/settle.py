"""Settling verdicts in batches: while one batch is on its way to Redis, the next one gathers.

Settling is safe to repeat, so a batch that Redis did not confirm is simply sent again until it is; until then its events
stay in the window, which in the end stops the reading. If the process dies first, they are pending and handled again.
"""

import asyncio
from collections.abc import Callable

from aiojobs import Job

from processor.dead_letter import letter
from processor.lanes import Held
from processor.retry import encode_record
from processor.verdict import Dead, Done, Retry, Verdict
from shared.broker.consume import Consumer, DeadLetter, Settlements
from shared.clock import Clock
from shared.errors import BrokerUnavailableError
from shared.logs import Logger
from shared.metrics import count_event
from shared.service import Supervisor

_MAX_BATCH = 500
_PAUSE_S = 0.5

Settled = Callable[[Held], None]


class Settler:
    """Settles the events of one partition in the order of their verdicts; `settled` is told of each that left Redis."""

    def __init__(self, consumer: Consumer, settled: Settled, clock: Clock, logger: Logger) -> None:
        self._consumer = consumer
        self._clock = clock
        self._logger = logger
        self._settled = settled
        self._waiting: list[tuple[Held, Verdict]] = []
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

    def settle(self, held: Held, verdict: Verdict) -> None:
        """Queue the `verdict` on `held`."""
        self._waiting.append((held, verdict))
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
        batch = self._waiting[:_MAX_BATCH]
        try:
            await self._consumer.settle(combine(batch, self._clock.now_ms()))
        except BrokerUnavailableError as error:
            self._logger.warning("settling waits for redis", events=len(self._waiting), error=str(error))
            await self._clock.sleep(_PAUSE_S)
            return
        del self._waiting[: len(batch)]
        for held, verdict in batch:
            count_event(held.topic, held.event.kind, _outcome(verdict)).inc()
            if not isinstance(verdict, Retry):
                self._settled(held)


def combine(batch: list[tuple[Held, Verdict]], now_ms: int) -> Settlements:
    """Give one set of settlements for `batch`, in which the last verdict on an event counts."""
    settlements = Settlements()
    for held, verdict in batch:
        event_id = held.event.id
        match verdict:
            case Retry(record):
                settlements.failed[event_id] = encode_record(record)
            case Done():
                settlements.done.setdefault(held.topic, []).append(held.entry_id)
            case Dead():
                extra = letter(verdict, held.topic, held.entry_id, now_ms)
                settlements.dead.append(DeadLetter(held.topic, held.entry_id, extra))
        if not isinstance(verdict, Retry):
            settlements.failed.pop(event_id, None)
            if held.recorded:
                settlements.recorded.append(event_id)
    return settlements


def _outcome(verdict: Verdict) -> str:
    return type(verdict).__name__.lower()
