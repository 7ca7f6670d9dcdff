"""Group commit: while one batch is on its way to Redis, the next one gathers; no timer is involved.

A lone event is written at once, and under load the batches grow by themselves to whatever arrives during one round trip.

What Redis does not confirm within the budget goes to the spool, and so does every later event of a key that has one lying
there: it queues behind it. Whether Redis has an unconfirmed event is not known; its dedupe key keeps it from being two.
"""

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from typing import Final

import msgspec
from aiojobs import Job

from hookline_ingress.metrics import BATCH_EVENTS
from hookline_ingress.spool.spool import Spool, SpoolError
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError, HooklineError
from hookline_shared.event import Event
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.streams.append import Appended, Appender

_LARGEST_BATCH: Final = 500
"""Events; a longer script would hold up Redis for everybody else."""
_LEAST_S: Final = 0.02
"""What a batch gets even if its first event has waited for most of the budget, and then the spool after most of the limit."""


class Stored(StrEnum):
    """Where an event is safe now; the values are those of the metrics' label `outcome`."""

    NEW = "accepted"
    DUPLICATE = "duplicate"
    SPOOLED = "spooled"


class NotStoredError(HooklineError):
    """An event is not known to be safe anywhere. `outcome` is the reason, as in the metrics."""

    def __init__(self, outcome: str, message: str) -> None:
        self.outcome = outcome
        super().__init__(message)


Write = Callable[[str, Event], "asyncio.Future[Stored]"]
"""Makes an event of a topic safe; the future ends once it is, or with a `NotStoredError`."""


class _PendingWrite(msgspec.Struct, frozen=True):
    topic: str
    event: Event
    since: float
    stored: "asyncio.Future[Stored]"

    def succeed(self, stored: Stored) -> None:
        if not self.stored.done():
            self.stored.set_result(stored)

    def fail(self, outcome: str, message: str) -> None:
        if not self.stored.done():
            self.stored.set_exception(NotStoredError(outcome, message))


class Writer:
    """Makes events safe, in the order in which they come: in Redis, once `ready` says so, or else in `spool`, if there is one.

    `budget_s` is how long Redis has for it, `limit_s` the spool and Redis together, both in seconds.
    """

    def __init__(
        self, appender: Appender, spool: Spool | None, ready: Callable[[], bool], budget_s: float, limit_s: float, clock: Clock
    ) -> None:
        self._appender = appender
        self._spool = spool
        self._ready = ready
        self._budget_s = budget_s
        self._limit_s = limit_s
        self._clock = clock
        self._waiting: list[_PendingWrite] = []
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()  # kept: asking for it is a system call before Python 3.12
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Begin to write."""
        self._job = await supervisor.spawn("writer", self._run())

    async def stop(self) -> None:
        """Stop, once nothing waits any more: whoever called `write` must have been answered before."""
        if self._job is not None:
            await self._job.close()

    def write(self, topic: str, event: Event) -> "asyncio.Future[Stored]":
        """Write `event` to `topic`; the future ends once it is safe, or with a `NotStoredError` if that is not known."""
        stored: asyncio.Future[Stored] = self._loop.create_future()
        self._waiting.append(_PendingWrite(topic, event, self._clock.monotonic(), stored))
        self._wake.set()
        return stored

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await self.write_batch()
            if not self._waiting:
                self._wake.clear()

    async def write_batch(self) -> None:
        """Make what has gathered safe, up to one batch."""
        batch, self._waiting = self._waiting[:_LARGEST_BATCH], self._waiting[_LARGEST_BATCH:]
        if not self._ready():
            self._spill(batch, "redis_unavailable", "Redis has not been reached yet.")
            return
        batch = self._let_queue(batch)
        if not batch:
            return
        try:
            results = await self._appender.append([(one.topic, one.event) for one in batch], self._time_left(batch[0]))
        except BaseException:
            self._fail([*batch, *self._waiting], "stopped", "The writer stopped.")
            raise
        BATCH_EVENTS.observe(len(batch))
        self._settle(batch, results)

    def _time_left(self, oldest: _PendingWrite) -> float:
        return max(_LEAST_S, oldest.since + self._budget_s - self._clock.monotonic())

    def _let_queue(self, batch: list[_PendingWrite]) -> list[_PendingWrite]:
        """Send the events whose key has predecessors in the spool behind these; return the others."""
        if self._spool is None or not self._spool.events:
            return batch
        free = []
        for one in batch:
            if self._spool.holds(one.topic, one.event.key):
                self._spill([one], "redis_unavailable", "The spool is being drained.")
            else:
                free.append(one)
        return free

    def _settle(self, batch: Sequence[_PendingWrite], results: Sequence[Appended | BrokerUnavailableError]) -> None:
        failed = 0
        for one, result in zip(batch, results, strict=True):
            if isinstance(result, BrokerUnavailableError):
                failed += 1
                self._spill([one], "redis_unavailable", str(result))
            elif result is Appended.FULL:
                self._spill([one], "backlog_full", "The backlog of the topic is full.")
            else:
                one.succeed(_STORED[result])
        if failed == len(batch):  # those that gathered behind it have waited as long, and would fare no better
            waiting, self._waiting = self._waiting, []
            self._spill(waiting, "redis_unavailable", "Redis does not answer.")

    def _spill(self, batch: Sequence[_PendingWrite], outcome: str, message: str) -> None:
        """Put events into the spool, in their order, or fail them where there is none."""
        if self._spool is None:
            self._fail(batch, outcome, message)
            return
        for one in batch:
            self._spool.put(one.topic, one.event).add_done_callback(partial(_spooled, one))
            left_s = one.since + self._limit_s - self._clock.monotonic()
            self._clock.call_later(max(_LEAST_S, left_s), partial(one.fail, "spool_slow", "The disk of the spool is too slow."))

    def _fail(self, batch: Sequence[_PendingWrite], outcome: str, message: str) -> None:
        for one in batch:
            one.fail(outcome, message)


_STORED: Final = {Appended.NEW: Stored.NEW, Appended.DUPLICATE: Stored.DUPLICATE}


def _spooled(one: _PendingWrite, done: "asyncio.Future[None]") -> None:
    error = done.exception()
    if error is None:
        one.succeed(Stored.SPOOLED)
    else:
        one.fail("spool_full" if isinstance(error, SpoolError) else "failed", str(error))
