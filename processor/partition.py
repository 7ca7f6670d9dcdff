"""One partition's owner: reads its topics, keeps a bounded window of events, and hands them to their lanes.

Each topic is read from a position. It starts at "0", which yields our own pending entries, left by a predecessor or by an
answer that got lost; once those are all in the window it becomes ">", which yields new ones. After any error every position
goes back to "0". So pending entries always come before new ones, and none is ever pending under nobody.
"""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import repeat
from math import inf

from aiojobs import Job

from processor.attempt import Attempts
from processor.lanes import Held, Lane, Lanes
from processor.metrics import BODIES_GONE, GROUPS_RECREATED
from processor.retry import NEVER_FAILED, Record, decode_record
from processor.settle import Settler
from processor.slots import Slots
from processor.verdict import Dead, Done, Failure, Reason, Retry, Verdict
from processor.window import Window
from shared.broker.consume import NEW, Consumer, Entry, record_name
from shared.clock import Cancellable, Clock
from shared.errors import BrokerUnavailableError, GroupMissingError, HooklineError, UndecodableError
from shared.event import Event, decode
from shared.logs import Logger
from shared.service import Supervisor

_FROM_THE_START = "0"
_WAIT_S = 2.0
_WAIT_WHILE_FULL_S = 0.02  # a topic whose window was full is looked at again this soon
_PAUSE_S = 0.5
_SWEEP_INTERVAL_S = 30.0
_SETTLE_RESERVE_S = 1.0
"""How much of the time for draining is kept for settling what the handlers finished."""
_CANCELLATION_S = 1.0
"""How long a cancelled handler may take to end; one that ignores its cancellation is left behind."""


class Partition:
    """Takes the events of partition `number` from Redis to their settlement, while it is trusted to be ours.

    trusted     reads, attempts and settles
    suspended   the time for which `trust` was given is over: nothing is read or begun, and handlers that can be stopped are;
                it goes on with all that it holds once it is trusted again
    ended       drained or abandoned; what is not settled is pending, for the next owner
    """

    def __init__(
        self,
        number: int,
        topics: Sequence[str],
        consumer: Consumer,
        window: Window,
        slots: Slots,
        attempts: Attempts,
        clock: Clock,
        logger: Logger,
    ) -> None:
        self._name = f"partition {number}"
        self._topics = topics
        self._consumer = consumer
        self._window = window
        self._slots = slots
        self._attempts = attempts
        self._clock = clock
        self._logger = logger.bind(partition=number)
        self._lanes = Lanes(self._offer)
        self._settler = Settler(consumer, self._settled, clock, self._logger)
        self._positions = dict.fromkeys(topics, _FROM_THE_START)
        self._delivered: dict[str, str] = {}
        self._settled_since_read: set[str] = set()
        self._swept_at = -inf
        self._trusted = asyncio.Event()
        self._trusted_until = -inf
        self._lapse: Cancellable | None = None
        self._ending = False
        self._running: dict[asyncio.Task[None], Held] = {}
        self._parked: list[Lane] = []
        self._problem: str | None = None
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor, *, known: bool) -> None:
        """Begin to read and to settle, once trusted. `known` tells whether this process has had the partition before."""
        await self._settler.start(supervisor, f"{self._name} settler")
        self._job = await supervisor.spawn(self._name, self._run(known=known))

    def trust(self, until: float) -> None:
        """Trust that the partition is ours until then, in monotonic seconds."""
        if self._lapse is not None:
            self._lapse.cancel()
        self._trusted_until = until
        self._lapse = self._clock.call_later(until - self._clock.monotonic(), self._suspend)
        self._trusted.set()
        if self._ending:
            return
        parked, self._parked = self._parked, []
        for lane in parked:
            self._offer(lane, lane.events[0].record.next_at)

    def check(self) -> str | None:
        """Give the readiness check: why this partition cannot be read, None while it can."""
        return self._problem

    async def drain(self, timeout_s: float) -> int:
        """End well: read and begin nothing more, and settle what the running handlers come to within `timeout_s` seconds.

        Gives how many handlers had to be cancelled.
        """
        deadline = self._clock.monotonic() + timeout_s
        self._ending = True
        await self._stop_reading()
        if self._running:
            await asyncio.wait(self._running, timeout=max(0.0, timeout_s - _SETTLE_RESERVE_S))
        unfinished = len(self._running)
        if unfinished:
            self._logger.warning("handlers cancelled at the deadline, their events are handled anew", events=unfinished)
        await self._withdraw(list(self._running))
        await self._settler.stop(max(_SETTLE_RESERVE_S, deadline - self._clock.monotonic()))
        self._end()
        return unfinished

    async def abandon(self) -> None:
        """End at once: another processor has the partition."""
        self._ending = True
        await self._stop_reading()
        await self._settler.stop(0)
        await self._withdraw(list(self._running))
        self._end()

    def _end(self) -> None:
        if self._lapse is not None:
            self._lapse.cancel()

    async def _stop_reading(self) -> None:
        """Read nothing more. An entry whose reading this interrupts stays pending, for the next owner."""
        if self._job is not None:
            await self._job.close()

    def _suspend(self) -> None:
        """Stop what can be: from now on another processor may have taken the partition."""
        self._trusted.clear()
        self._logger.warning(
            "the lease could not be renewed in time, so the partition rests until it is",
            remedy="Redis does not answer, or this process was stopped or too busy to ask",
        )
        for task, held in self._running.items():
            if self._attempts.can_be_stopped(held):
                held.withdrawn = True
                task.cancel()

    async def _withdraw(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        for task in tasks:
            self._running[task].withdrawn = True
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CANCELLATION_S)

    async def _run(self, *, known: bool) -> None:
        while True:
            await self._trusted.wait()
            try:
                await self._prepare(known=known)
                known = True
                while True:
                    await self._window.wait_room()
                    await self._sweep()
                    await self._read_once()
                    self._problem = None
            except (BrokerUnavailableError, GroupMissingError) as error:
                await self._wait_to_read_again(error)

    async def _prepare(self, *, known: bool) -> None:
        missing = await self._consumer.ensure_groups()
        if missing and known:
            GROUPS_RECREATED.inc()
            self._logger.error("consumer groups were gone and are created anew; was Redis flushed?", groups=missing)
        self._delivered = await self._consumer.delivered()

    async def _sweep(self) -> None:
        """Now and then, take over what somebody who reads with our group by hand has left pending."""
        now = self._clock.monotonic()
        if now - self._swept_at < _SWEEP_INTERVAL_S:
            return
        self._swept_at = now
        if others := await self._consumer.adopt():
            self._positions = dict.fromkeys(self._topics, _FROM_THE_START)
            self._logger.warning("took over what others have read with the group of the processor", consumers=others)

    async def _wait_to_read_again(self, error: HooklineError) -> None:
        """Say what is wrong once, wait until Redis answers, and begin with what is pending."""
        self._positions = dict.fromkeys(self._topics, _FROM_THE_START)
        if self._problem is None:
            self._logger.warning("reading waits for redis", error=str(error))
        self._problem = str(error)
        await self._clock.sleep(_PAUSE_S)
        await self._consumer.wait_for_redis()

    async def _read_once(self) -> None:
        """Read one batch of every open topic, hand it on, and if there may be no more, wait for it."""
        open_topics = self._window.open_topics()
        recovering = any(self._positions[topic] != NEW for topic in open_topics)
        most = 0
        self._settled_since_read.clear()
        for topic, entries in await self._consumer.read(
            {topic: self._positions[topic] for topic in open_topics}, self._window.batch
        ):
            await self._admit_all(topic, entries)
            most = max(most, len(entries))
        if not most and not recovering:
            self._delivered = await self._consumer.delivered()  # somebody may have read by hand what we wait for
        if most < self._window.batch and not recovering:
            wait_s = _WAIT_S if len(open_topics) == len(self._topics) else _WAIT_WHILE_FULL_S
            await self._consumer.wait_for_new({topic: self._delivered[topic] for topic in open_topics}, wait_s)

    async def _admit_all(self, topic: str, entries: Sequence[Entry]) -> None:
        decoded = [_decode(entry) for entry in entries]
        records: Iterable[Record] = repeat(NEVER_FAILED)
        if self._positions[topic] != NEW:
            stored = await self._consumer.retry_records([record_name(topic, entry.id) for entry in entries])
            records = [decode_record(record) for record in stored]
            self._positions[topic] = entries[-1].id if entries else NEW
        elif entries:
            self._delivered[topic] = entries[-1].id
        for entry, (event, verdict), record in zip(entries, decoded, records, strict=False):
            self._admit(Held(topic, entry.id, event, record), verdict)

    def _admit(self, held: Held, verdict: Verdict | None) -> None:
        """Take `held` into the window, unless it is there, or was settled while the answer that has it was on its way."""
        if held.entry_id in self._settled_since_read or not self._window.admit(held.topic, held.entry_id):
            return
        if verdict is None:
            self._lanes.add(held)
        else:
            self._settle_unattempted(held, verdict)

    def _settle_unattempted(self, held: Held, verdict: Verdict) -> None:
        what = "entry cannot be decoded" if isinstance(verdict, Dead) else "body of a pending entry is gone"
        if isinstance(verdict, Done):
            BODIES_GONE.labels(held.topic).inc()
        self._logger.error(what, topic=held.topic, entry_id=held.entry_id)
        self._settler.settle(held, verdict)

    def _offer(self, lane: Lane, at_ms: int) -> None:
        self._slots.offer(lane, at_ms, self._work)

    async def _work(self, lane: Lane) -> None:
        """Attempt the first event of `lane` and conclude. If this is cancelled the event stays pending, as if never begun."""
        if self._ending or self._clock.monotonic() >= self._trusted_until:
            self._parked.append(lane)
            return
        held = lane.events[0]
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a slot runs this in a task of its own
        self._running[task] = held
        try:
            verdict = await self._attempts.make(held)
        except asyncio.CancelledError:
            held.withdrawn = False
            self._parked.append(lane)
            raise
        finally:
            del self._running[task]
        if isinstance(verdict, Retry):
            held.record = verdict.record
            self._settler.settle(held, verdict)
            self._lanes.failed(lane)
        else:
            self._settler.settle(held, verdict)
            self._lanes.settled(lane)

    def _settled(self, held: Held) -> None:
        self._settled_since_read.add(held.entry_id)
        self._window.release(held.topic, held.entry_id)


def _decode(entry: Entry) -> tuple[Event, Verdict | None]:
    """Give the event of `entry`, or something to hold in its place and the verdict that needs no attempt."""
    if entry.fields is None:
        return _stand_in(entry, "gone"), Done()
    try:
        return decode(entry.fields), None
    except UndecodableError as error:
        received_at = _received_at(entry)
        failure = Failure(type(error).__name__, str(error))
        return _stand_in(entry, "undecodable"), Dead(Reason.UNDECODABLE, failure, 0, received_at)


def _stand_in(entry: Entry, kind: str) -> Event:
    return Event(id=entry.id, kind=kind, key="", dedupe_key="", received_at=_received_at(entry), target="", body=b"")


def _received_at(entry: Entry) -> int:
    """Give the Unix time in milliseconds at which Redis took the entry, which is how entry ids begin."""
    return int(entry.id.partition("-")[0])
