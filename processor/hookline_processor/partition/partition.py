"""One owned partition: its events from reading to settlement, while its lease is trusted."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from hookline_processor.attempts.attempt_log import AttemptLog
from hookline_processor.attempts.attempts import Attempts
from hookline_processor.events.placeholder import GONE, UNDECODABLE, added_at, placeholder
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
from hookline_processor.verdicts import Dead, Done, Failure, Reason, Retry, Verdict, poison_verdict
from hookline_shared.clock import Cancellable, Clock
from hookline_shared.errors import UndecodableError
from hookline_shared.event import Event, decode
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.streams.consume import Consumer, Entry
from hookline_shared.topics import Topic

_SETTLE_RESERVE_S: Final = 1.0
"""The part of the drain time that is reserved for settling finished events."""
_DRAIN_POLL_S: Final = 0.25
"""How often draining checks for a shorter deadline."""
_CANCEL_TIMEOUT_S: Final = 1.0
"""The time for a cancelled handler to end. One that ignores its cancellation is abandoned."""


_OUT_OF_TIME: Final = "the time for running handlers at a stop or handover is over"
_LOST: Final = "another processor has the partition"
_PAUSED: Final = "the lease of the partition was not renewed in time"


@dataclass(frozen=True)
class PartitionContext:
    """What the partitions of one processor share. `ledger_has_room` is set while the ledger streams are below their limit."""

    topics: Mapping[str, Topic]
    window: int
    slots: Slots
    attempts: Attempts
    destinations: Destinations
    quarantine: Quarantine
    clock: Clock
    logger: Logger
    ledger_has_room: asyncio.Event


class Partition:
    """Processes one partition, from `start` to `drain` or `abandon`.

    trusted     reads, attempts and settles
    suspended   the trusted time is over: nothing is read or started, and handlers that can be cancelled are cancelled; it
                continues with all its events when it is trusted again
    ended       drained or abandoned; unsettled events are pending for the next owner
    """

    def __init__(self, number: int, consumer: Consumer, context: PartitionContext) -> None:
        self._name = f"partition {number}"
        self._slots = context.slots
        self._attempts = context.attempts
        self._destinations = context.destinations
        self._quarantine = context.quarantine
        self._clock = context.clock
        self._logger = context.logger.bind(partition=number)
        self._log = AttemptLog(self._logger)
        ordered = {name for name, topic in context.topics.items() if topic.ordered}
        self._window = Window(context.topics, context.window)
        self._trusted = asyncio.Event()  # the reader waits for it; `_trusted_until` decides
        self._trusted_until = -inf
        self._trust_timer: Cancellable | None = None
        self._drain_deadline = inf
        self._ending = False
        self._ended = False
        self._running: dict[asyncio.Task[None], InFlightEvent] = {}
        self._recorded_attempts: dict[InFlightEvent, Record] = {}
        self._parked: list[Lane] = []
        self._reader = Reader(
            consumer, self._window, self._admit, self._trusted, context.ledger_has_room, self._clock, self._logger
        )
        self._loader = PayloadLoader(consumer, self._add_loaded, self._clock)
        self._lanes = Lanes(ordered, self._offer, self._loader.request)
        self._settler = Settler(consumer, self._settled, self._clock, self._logger)

    async def start(self, supervisor: Supervisor, *, owned_before: bool) -> None:
        """Start reading and settling, once trusted. `owned_before` is whether this process owned the partition before."""
        await self._settler.start(supervisor, f"{self._name} settler")
        await self._loader.start(supervisor, f"{self._name} bodies")
        await self._reader.start(supervisor, f"{self._name} reader", owned_before=owned_before)

    def trust(self, until: float) -> None:
        """Trust the lease until `until`, in monotonic seconds."""
        if self._trust_timer is not None:
            self._trust_timer.cancel()
        if self._ended:
            return
        self._trusted_until = until
        self._trust_timer = self._clock.call_later(until - self._clock.monotonic(), self._suspend)
        self._trusted.set()
        if not self._ending:
            parked, self._parked = self._parked, []
            for lane in parked:
                self._lanes.offer_again(lane)

    def check(self) -> str | None:
        """Return the readiness check: why this partition cannot be read, or None if it can."""
        return self._reader.check()

    async def drain(self, timeout_s: float) -> None:
        """Stop reading and starting attempts. Settle what running handlers finish within `timeout_s` seconds, then end."""
        self._ending = True
        self.hurry(timeout_s)
        await self._stop_reading()
        while self._running and (left_s := self._drain_deadline - _SETTLE_RESERVE_S - self._clock.monotonic()) > 0:
            await asyncio.wait(self._running, timeout=min(left_s, _DRAIN_POLL_S))
        if self._running:
            self._logger.warning(
                "handlers cancelled at the deadline; their events will be handled again", events=len(self._running)
            )
        await self._withdraw(_OUT_OF_TIME)
        await self._settler.stop(max(_SETTLE_RESERVE_S, self._drain_deadline - self._clock.monotonic()))
        self._end()

    def hurry(self, timeout_s: float) -> None:
        """Shorten the time left for draining to `timeout_s` seconds, if it is longer."""
        self._drain_deadline = min(self._drain_deadline, self._clock.monotonic() + timeout_s)

    async def abandon(self) -> None:
        """End at once, even while draining: another processor has the partition."""
        self._ending = True
        self._settler.give_up()
        await self._stop_reading()
        await self._withdraw(_LOST)
        await self._settler.stop(0)
        self._end()

    def _end(self) -> None:
        self._ended = True
        if self._trust_timer is not None:
            self._trust_timer.cancel()
        lanes = self._lanes.all()
        self._slots.forget(lanes)
        for lane in lanes:
            self._destinations.forget(lane)
            self._quarantine.leave(lane)

    async def _stop_reading(self) -> None:
        await self._reader.stop()
        await self._loader.stop()

    def _suspend(self) -> None:
        """Cancel what can be cancelled: another processor may acquire the partition from now on."""
        self._trusted.clear()
        self._logger.warning(
            "lease not renewed in time; the partition is paused until it is",
            remedy="check whether Redis answers, and whether this process was stopped or too busy to renew the lease",
        )
        for task, in_flight in self._running.items():
            if self._attempts.can_be_stopped(in_flight):
                self._attempts.report_cut(in_flight, _PAUSED)
                in_flight.record = in_flight.record.interrupt()
                in_flight.withdrawn = True
                task.cancel()

    async def _withdraw(self, reason: str) -> None:
        running = list(self._running)
        for task in running:
            in_flight = self._running[task]
            self._attempts.report_cut(in_flight, reason)
            in_flight.withdrawn = True
            self._record_cut(in_flight)  # now, because it may ignore its cancellation until after the end
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=_CANCEL_TIMEOUT_S)

    def _record_cut(self, in_flight: InFlightEvent) -> None:
        """Write into the record from before the attempt that it was cut, if its handler has begun."""
        if in_flight.started_at is None:
            self._undo_begin(in_flight)
            return
        before = self._recorded_attempts.pop(in_flight, in_flight.record)
        in_flight.record = before.cut_short()
        self._settler.queue_record(in_flight)

    def _undo_begin(self, in_flight: InFlightEvent) -> None:
        """Restore the record from before a recorded attempt."""
        if (before := self._recorded_attempts.pop(in_flight, None)) is not None:
            in_flight.record = before
            self._settler.queue_record(in_flight)

    def _admit(self, topic: str, entry: Entry, recovered: Recovered | None) -> None:
        """Add an entry that was read to its lane, or settle it if it cannot be attempted."""
        in_flight, verdict = _in_flight_of(topic, entry, recovered)
        if verdict is None:
            if self._lanes.add(in_flight):
                self._window.count_loaded(topic)
        else:
            self._window.count_loaded(topic)
            self._settle_unattempted(in_flight, verdict)

    def _add_loaded(self, lane: Lane, found: Sequence[tuple[Entry, Recovered | None]]) -> None:
        """Add loaded entries to `lane`."""
        self._window.count_loaded(lane.topic, len(found))
        loaded = [_in_flight_of(lane.topic, entry, recovered) for entry, recovered in found]
        self._lanes.add_loaded(lane, len(loaded), [in_flight for in_flight, verdict in loaded if verdict is None])
        for in_flight, verdict in loaded:
            if verdict is not None:
                self._settle_unattempted(in_flight, verdict)

    def _settle_unattempted(self, in_flight: InFlightEvent, verdict: Verdict) -> None:
        if isinstance(verdict, Done):
            BODIES_GONE.labels(in_flight.topic).inc()
        self._log.unattempted(in_flight, gone=isinstance(verdict, Done))
        self._settler.settle(in_flight, verdict)

    def _settled(self, in_flight: InFlightEvent) -> None:
        self._reader.settled(in_flight.topic, in_flight.entry_id)

    def _offer(self, lane: Lane, at_ms: int) -> None:
        self._slots.offer(lane, at_ms, self._work)

    async def _work(self, lane: Lane) -> None:
        """Attempt the first event of `lane` and apply the verdict. If cancelled, the event stays pending."""
        in_flight = lane.events[0]
        if not self._may_attempt():
            self._parked.append(lane)
        elif in_flight.record.poison:
            self._log.poison(in_flight)
            self._conclude(lane, in_flight, poison_verdict(in_flight.record, self._clock.now_ms()))
        elif not in_flight.record.suspect:
            await self._attempt(lane, in_flight)
        elif self._quarantine.enter(lane, self._lanes.offer_again):
            try:
                await self._attempt(lane, in_flight)
            finally:
                self._quarantine.leave(lane)

    async def _attempt(self, lane: Lane, in_flight: InFlightEvent) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a slot runs this in a task of its own
        self._running[task] = in_flight
        run_attempt = self._attempt_recovered if in_flight.recovered else self._attempts.make
        recovered = in_flight.recovered
        destination = self._attempts.destination(in_flight)
        verdict: Verdict | None
        try:
            if destination is None:
                verdict = await run_attempt(in_flight)
            else:
                verdict = await self._destinations.attempt(
                    destination, lane, lambda: run_attempt(in_flight), self._lanes.offer_again
                )
        except asyncio.CancelledError:
            in_flight.withdrawn = False
            self._parked.append(lane)
            raise
        finally:
            del self._running[task]
        if verdict is not None:
            self._conclude(lane, in_flight, verdict)
        elif recovered and not in_flight.recovered:
            self._settler.queue_record(in_flight)

    async def _attempt_recovered(self, in_flight: InFlightEvent) -> Verdict:
        """Attempt an event that may have been in flight in a crash, and record the start of the attempt first."""
        self._recorded_attempts[in_flight] = in_flight.record
        in_flight.record = in_flight.record.begin()
        try:
            await self._settler.write_record(in_flight)
            self._cancel_unless_allowed()
            verdict = await self._attempts.make(in_flight)
        except asyncio.CancelledError:
            self._undo_begin(in_flight)
            raise
        self._recorded_attempts.pop(in_flight, None)
        in_flight.recovered = False
        in_flight.record = in_flight.record.end()
        return verdict

    def _may_attempt(self) -> bool:
        """Whether attempts may start."""
        return not self._ending and self._clock.monotonic() < self._trusted_until

    def _cancel_unless_allowed(self) -> None:
        """Raise `CancelledError`, as if the attempt was withdrawn, unless it may start."""
        if not self._may_attempt():
            raise asyncio.CancelledError

    def _conclude(self, lane: Lane, in_flight: InFlightEvent, verdict: Verdict) -> None:
        if self._ended:
            return  # the handler ignored its cancellation; another processor has its event by now
        self._settler.settle(in_flight, verdict)
        if isinstance(verdict, Retry):
            in_flight.record = verdict.record
            self._lanes.offer_again(lane)
        else:
            self._lanes.settled(lane)


def _in_flight_of(topic: str, entry: Entry, recovered: Recovered | None) -> tuple[InFlightEvent, Verdict | None]:
    """Return the in-flight event of `entry`, and the verdict if it needs no attempt."""
    event, verdict = _decode(entry)
    record, stored = recovered or (NEVER_FAILED, False)
    return InFlightEvent(topic, entry.id, event, record, recovered=recovered is not None, recorded=stored), verdict


def _decode(entry: Entry) -> tuple[Event, Verdict | None]:
    """Return the event of `entry`, or a placeholder and the verdict that needs no attempt."""
    if entry.fields is None:
        return placeholder(entry.id, GONE, entry.id), Done()
    try:
        return decode(entry.fields), None
    except UndecodableError as error:
        failure = Failure(type(error).__name__, str(error))
        return placeholder(entry.id, UNDECODABLE, entry.id), Dead(Reason.UNDECODABLE, failure, 0, added_at(entry.id))
