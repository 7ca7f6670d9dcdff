"""One partition's owner: takes its events from Redis to their settlement, while it is trusted to be ours."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from hookline_processor.attempts.attempt_log import AttemptLog
from hookline_processor.attempts.attempts import Attempts
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.metrics import BODIES_GONE
from hookline_processor.partition.destinations import Destinations
from hookline_processor.partition.lanes import Lane, Lanes
from hookline_processor.partition.payload_loader import PayloadLoader
from hookline_processor.partition.quarantine import Quarantine
from hookline_processor.partition.reader import Reader
from hookline_processor.partition.settler import Settler
from hookline_processor.partition.slots import Slots
from hookline_processor.partition.window import Window
from hookline_processor.retry import NEVER_FAILED, Record, Recovered
from hookline_processor.verdicts import Dead, Done, Failure, Reason, Retry, Verdict, poisoned
from hookline_shared.clock import Cancellable, Clock
from hookline_shared.errors import UndecodableError
from hookline_shared.event import Event, decode
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.streams.consume import Consumer, Entry
from hookline_shared.topics import Topic

_SETTLE_RESERVE_S: Final = 1.0
"""How much of the time for draining is kept for settling what the handlers finished."""
_LOOK_S: Final = 0.25
"""How soon draining notices that it has to hurry."""
_CANCELLATION_S: Final = 1.0
"""How long a cancelled handler may take to end; one that ignores its cancellation is left behind."""


@dataclass(frozen=True)
class PartitionContext:
    """What the partitions of one processor share. `room` is set while there is room for what becomes of events."""

    topics: Mapping[str, Topic]
    window: int
    slots: Slots
    attempts: Attempts
    destinations: Destinations
    quarantine: Quarantine
    clock: Clock
    logger: Logger
    room: asyncio.Event


class Partition:
    """Works on one partition, from `start` to `drain` or `abandon`.

    trusted     reads, attempts and settles
    suspended   the time for which `trust` was given is over: nothing is read or begun, and handlers that can be stopped are;
                it goes on with all that it holds once it is trusted again
    ended       drained or abandoned; what is not settled is pending, for the next owner
    """

    def __init__(self, number: int, consumer: Consumer, context: PartitionContext) -> None:
        self._name = f"partition {number}"
        self._slots = context.slots
        self._attempts = context.attempts
        self._destinations = context.destinations
        self._quarantine = context.quarantine
        self._clock = context.clock
        self._logger = context.logger.bind(partition=number)
        self._reports = AttemptLog(self._logger)
        ordered = {name for name, topic in context.topics.items() if topic.ordered}
        self._window = Window(context.topics, context.window)
        self._trusted = asyncio.Event()  # for the reader to wait for; what counts is the time until which it is
        self._trusted_until = -inf
        self._lapse: Cancellable | None = None
        self._drained_by = inf
        self._ending = False
        self._ended = False
        self._running: dict[asyncio.Task[None], InFlightEvent] = {}
        self._begun: dict[InFlightEvent, Record] = {}
        self._parked: list[Lane] = []
        self._reader = Reader(consumer, self._window, self._admit, self._trusted, context.room, self._clock, self._logger)
        self._bodies = PayloadLoader(consumer, self._supply, self._clock)
        self._lanes = Lanes(ordered, self._offer, self._bodies.want)
        self._settler = Settler(consumer, self._settled, self._clock, self._logger)

    async def start(self, supervisor: Supervisor, *, known: bool) -> None:
        """Begin to read and to settle, once trusted. `known` tells whether this process has had the partition before."""
        await self._settler.start(supervisor, f"{self._name} settler")
        await self._bodies.start(supervisor, f"{self._name} bodies")
        await self._reader.start(supervisor, f"{self._name} reader", known=known)

    def trust(self, until: float) -> None:
        """Trust that the partition is ours until then, in monotonic seconds."""
        if self._lapse is not None:
            self._lapse.cancel()
        if self._ended:
            return
        self._trusted_until = until
        self._lapse = self._clock.call_later(until - self._clock.monotonic(), self._suspend)
        self._trusted.set()
        if not self._ending:
            parked, self._parked = self._parked, []
            for lane in parked:
                self._lanes.offer_again(lane)

    def check(self) -> str | None:
        """Return the readiness check: why this partition cannot be read, None while it can."""
        return self._reader.check()

    async def drain(self, timeout_s: float) -> None:
        """End well: read and begin nothing more, and settle what the running handlers come to within `timeout_s` seconds."""
        self._ending = True
        self.hurry(timeout_s)
        await self._stop_reading()
        while self._running and (left_s := self._drained_by - _SETTLE_RESERVE_S - self._clock.monotonic()) > 0:
            await asyncio.wait(self._running, timeout=min(left_s, _LOOK_S))
        if self._running:
            self._logger.warning(
                "handlers cancelled at the deadline; their events will be handled again", events=len(self._running)
            )
        await self._withdraw()
        await self._settler.stop(max(_SETTLE_RESERVE_S, self._drained_by - self._clock.monotonic()))
        self._end()

    def hurry(self, timeout_s: float) -> None:
        """Let draining end within `timeout_s` seconds from now, if it had longer."""
        self._drained_by = min(self._drained_by, self._clock.monotonic() + timeout_s)

    async def abandon(self) -> None:
        """End at once, draining or not: another processor has the partition."""
        self._ending = True
        self._settler.give_up()
        await self._stop_reading()
        await self._withdraw()
        await self._settler.stop(0)
        self._end()

    def _end(self) -> None:
        self._ended = True
        if self._lapse is not None:
            self._lapse.cancel()
        lanes = self._lanes.all()
        self._slots.forget(lanes)
        for lane in lanes:
            self._destinations.forget(lane)
            self._quarantine.leave(lane)

    async def _stop_reading(self) -> None:
        await self._reader.stop()
        await self._bodies.stop()

    def _suspend(self) -> None:
        """Stop what can be: from now on another processor may have taken the partition."""
        self._trusted.clear()
        self._logger.warning(
            "lease not renewed in time; the partition is paused until it is",
            remedy="check whether Redis answers, and whether this process was stopped or too busy to renew the lease",
        )
        for task, held in self._running.items():
            if self._attempts.can_be_stopped(held):
                held.withdrawn = True
                task.cancel()

    async def _withdraw(self) -> None:
        running = list(self._running)
        for task in running:
            held = self._running[task]
            held.withdrawn = True
            self._call_off(held)  # now: it may ignore its cancellation for longer than we are there
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=_CANCELLATION_S)

    def _call_off(self, held: InFlightEvent) -> None:
        """Take back that an attempt was begun, if it is on record."""
        if (before := self._begun.pop(held, None)) is not None:
            held.record = before
            self._settler.keep(held)

    def _admit(self, topic: str, entry: Entry, recovered: Recovered | None) -> None:
        """Take an entry that was read; one that cannot be attempted is settled."""
        held, verdict = _hold(topic, entry, recovered)
        if verdict is None:
            if self._lanes.add(held):
                self._window.load(topic)
        else:
            self._window.load(topic)
            self._settle_unattempted(held, verdict)

    def _supply(self, lane: Lane, found: Sequence[tuple[Entry, Recovered | None]]) -> None:
        """Give `lane` the events that it wanted."""
        self._window.load(lane.topic, len(found))
        held = [_hold(lane.topic, entry, recovered) for entry, recovered in found]
        self._lanes.supply(lane, len(held), [one for one, verdict in held if verdict is None])
        for one, verdict in held:
            if verdict is not None:
                self._settle_unattempted(one, verdict)

    def _settle_unattempted(self, held: InFlightEvent, verdict: Verdict) -> None:
        if isinstance(verdict, Done):
            BODIES_GONE.labels(held.topic).inc()
        self._reports.unattempted(held, gone=isinstance(verdict, Done))
        self._settler.settle(held, verdict)

    def _settled(self, held: InFlightEvent) -> None:
        self._reader.settled(held.topic, held.entry_id)

    def _offer(self, lane: Lane, at_ms: int) -> None:
        self._slots.offer(lane, at_ms, self._work)

    async def _work(self, lane: Lane) -> None:
        """Attempt the first event of `lane` and conclude. If this is cancelled the event stays pending, as if never begun."""
        held = lane.events[0]
        if not self._goes_on():
            self._parked.append(lane)
        elif held.record.poison:
            self._reports.poison(held)
            self._conclude(lane, held, poisoned(held.record, self._clock.now_ms()))
        elif not held.record.suspect:
            await self._attempt(lane, held)
        elif self._quarantine.enter(lane, self._lanes.offer_again):
            try:
                await self._attempt(lane, held)
            finally:
                self._quarantine.leave(lane)

    async def _attempt(self, lane: Lane, held: InFlightEvent) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a slot runs this in a task of its own
        self._running[task] = held
        make = self._make_recovered if held.recovered else self._attempts.make
        recovered = held.recovered
        destination = self._attempts.destination(held)
        verdict: Verdict | None
        try:
            if destination is None:
                verdict = await make(held)
            else:
                verdict = await self._destinations.attempt(destination, lane, lambda: make(held), self._lanes.offer_again)
        except asyncio.CancelledError:
            held.withdrawn = False
            self._parked.append(lane)
            raise
        finally:
            del self._running[task]
        if verdict is not None:
            self._conclude(lane, held, verdict)
        elif recovered and not held.recovered:
            self._settler.keep(held)

    async def _make_recovered(self, held: InFlightEvent) -> Verdict:
        """Attempt an event that may have been under way when a process died, and put on record that it is."""
        self._begun[held] = held.record
        held.record = held.record.begin()
        try:
            await self._settler.record(held)
            self._ensure_going_on()
            verdict = await self._attempts.make(held)
        except asyncio.CancelledError:
            self._call_off(held)
            raise
        self._begun.pop(held, None)
        held.recovered = False
        held.record = held.record.end()
        return verdict

    def _goes_on(self) -> bool:
        """Whether attempts may begin."""
        return not self._ending and self._clock.monotonic() < self._trusted_until

    def _ensure_going_on(self) -> None:
        """End the attempt as if it had been withdrawn, unless it may begin."""
        if not self._goes_on():
            raise asyncio.CancelledError

    def _conclude(self, lane: Lane, held: InFlightEvent, verdict: Verdict) -> None:
        if self._ended:
            return  # a handler that ignored its cancellation; its event is somebody else's by now
        self._settler.settle(held, verdict)
        if isinstance(verdict, Retry):
            held.record = verdict.record
            self._lanes.offer_again(lane)
        else:
            self._lanes.settled(lane)


def _hold(topic: str, entry: Entry, recovered: Recovered | None) -> tuple[InFlightEvent, Verdict | None]:
    """Return what to hold of `entry`, and the verdict if there is one that needs no attempt."""
    event, verdict = _decode(entry)
    record, stored = recovered or (NEVER_FAILED, False)
    return InFlightEvent(topic, entry.id, event, record, recovered=recovered is not None, recorded=stored), verdict


def _decode(entry: Entry) -> tuple[Event, Verdict | None]:
    """Return the event of `entry`, or something to hold in its place and the verdict that needs no attempt."""
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
    """Return the Unix time in milliseconds at which Redis took the entry, which is how entry ids begin."""
    return int(entry.id.partition("-")[0])
