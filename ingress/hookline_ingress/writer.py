"""Group commit: while one batch is on its way to Redis, the next one gathers; there is no timer.

A lone event is written at once. Under load, a batch has the events that arrive during one round trip.

Events that Redis does not confirm within the budget go to the spool, and so do later events of a key that has events there:
they queue behind those. Redis may have an unconfirmed event all the same; its dedupe key then prevents a second copy.
"""

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

import msgspec
from aiojobs import Job

from hookline_ingress.metrics import BATCH_EVENTS
from hookline_ingress.spool.spool import Spool, SpoolError
from hookline_shared.batch_size import READ_BYTES
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.event import Event
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.streams.append import Appended, Appender

_LARGEST_BATCH: Final = 500
"""Events; a longer script would block Redis for other clients."""
_BATCH_BYTES: Final = READ_BYTES
"""Bytes of bodies: so few that a slow connection transfers them within the budget. A larger body is a batch of its own."""
_MIN_TIMEOUT_S: Final = 0.02
"""The least time for a batch, even if its first event has used up the budget, and for the spool after the limit."""


class Stored(StrEnum):
    """Where an event is stored; the values are those of the metrics' label `outcome`.

    One whose signature was used for another event before is not, and never will be.
    """

    NEW = "accepted"
    DUPLICATE = "duplicate"
    REUSED = "reused_signature"
    SPOOLED = "spooled"

    __hash__ = str.__hash__  # that of an enum is a function in Python, and metrics look these up with every webhook


class NotStored(NamedTuple):
    """Why an event may be stored nowhere: `outcome` for the metrics, `message` for people."""

    outcome: str
    message: str


Done = Callable[[Stored | NotStored], None]
"""Called once with where an event is stored, after the call that stores it has returned."""
Write = Callable[[str, Event, Done], None]
"""Stores an event of a topic."""


class _PendingWrite(msgspec.Struct):
    topic: str
    event: Event
    since: float
    done: Done

    def finish(self, stored: Stored | NotStored) -> None:
        """Call `done`, the first time only: the disk may store an event after its time was over."""
        done, self.done = self.done, _ignore
        done(stored)


def _ignore(_stored: Stored | NotStored) -> None:
    pass


class Writer:
    """Stores events in their order: in Redis once `ready` returns true, otherwise in `spool`, if there is one.

    `budget_s` is the time limit for Redis, `limit_s` that for Redis and the spool together, both in seconds.
    """

    def __init__(
        self,
        appender: Appender,
        spool: Spool | None,
        ready: Callable[[], bool],
        budget_s: float,
        limit_s: float,
        clock: Clock,
        logger: Logger,
    ) -> None:
        self._appender = appender
        self._spool = spool
        self._ready = ready
        self._budget_s = budget_s
        self._limit_s = limit_s
        self._clock = clock
        self._logger = logger
        self._loop = asyncio.get_running_loop()  # kept: asking for it is a system call before Python 3.12
        self._waiting: list[_PendingWrite] = []
        self._wake = asyncio.Event()
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Begin to write."""
        self._job = await supervisor.spawn("writer", self._run())

    async def stop(self) -> None:
        """Stop. All events must be stored before, or have failed."""
        if self._job is not None:
            await self._job.close()

    def write(self, topic: str, event: Event, done: Done) -> None:
        """Store `event` in `topic`; `done` is called once it is stored, or cannot be."""
        if not self._waiting:
            self._wake.set()
        self._waiting.append(_PendingWrite(topic, event, self._clock.monotonic(), done))

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await self.write_batch()
            if not self._waiting:
                self._wake.clear()

    async def write_batch(self) -> None:
        """Store the events that have gathered, at most one batch."""
        batch = self._take_batch()
        if not self._ready():
            self._spill(batch, "redis_unavailable", "Redis has not been reached yet.")
            return
        batch = self._queue_behind_spooled(batch)
        if not batch:
            return
        try:
            results = await self._appender.append([(one.topic, one.event) for one in batch], self._time_left(batch[0]))
        except BaseException:
            self._fail([*batch, *self._waiting], "stopped", "The writer stopped.")
            raise
        BATCH_EVENTS.observe(len(batch))
        self._settle(batch, results)

    def _take_batch(self) -> list[_PendingWrite]:
        room, length = _BATCH_BYTES, 0
        for one in islice(self._waiting, _LARGEST_BATCH):
            room -= len(one.event.body)
            if room < 0 and length:
                break
            length += 1
        batch, self._waiting = self._waiting[:length], self._waiting[length:]
        return batch

    def _time_left(self, oldest: _PendingWrite) -> float:
        return max(_MIN_TIMEOUT_S, oldest.since + self._budget_s - self._clock.monotonic())

    def _queue_behind_spooled(self, batch: list[_PendingWrite]) -> list[_PendingWrite]:
        """Put the events whose key has earlier ones in the spool behind those; return the others."""
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
        stored = []
        for one, result in zip(batch, results, strict=True):
            if isinstance(result, BrokerUnavailableError):
                failed += 1
                self._spill([one], "redis_unavailable", str(result))
            elif (outcome := _STORED.get(result)) is not None:
                stored.append((one, outcome))
            else:
                self._spill([one], "backlog_full", "The backlog of the topic is full.")
        self._finish_soon(stored)
        if failed == len(batch):  # events that gathered meanwhile would fail in the same way
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
            self._clock.call_later(
                max(_MIN_TIMEOUT_S, left_s), partial(one.finish, NotStored("spool_slow", "The disk of the spool is too slow."))
            )

    def _fail(self, batch: Sequence[_PendingWrite], outcome: str, message: str) -> None:
        self._finish_soon([(one, NotStored(outcome, message)) for one in batch])

    def _finish_soon(self, batch: Sequence[tuple[_PendingWrite, Stored | NotStored]]) -> None:
        """Finish each of `batch`, but send the next batch before: Redis would wait until hundreds of replies are written."""
        self._loop.call_soon(self._finish, batch)

    def _finish(self, batch: Sequence[tuple[_PendingWrite, Stored | NotStored]]) -> None:
        for one, stored in batch:
            try:
                one.done(stored)  # not `finish`: it has not been in the spool
            except Exception:  # of this event; the others have nothing to do with it
                self._logger.exception("a request failed inside ingress")


_STORED: Final = {Appended.NEW: Stored.NEW, Appended.DUPLICATE: Stored.DUPLICATE, Appended.REUSED: Stored.REUSED}


def _spooled(one: _PendingWrite, done: "asyncio.Future[None]") -> None:
    error = done.exception()
    if error is None:
        one.finish(Stored.SPOOLED)
    else:
        one.finish(NotStored("spool_full" if isinstance(error, SpoolError) else "failed", str(error)))
