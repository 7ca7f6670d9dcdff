"""Runs the first events of the lanes of one partition, and decides what becomes of each: done, dead, or waiting in Redis."""

import asyncio
from collections.abc import Callable
from typing import Final

from hookline_processor.attempts.attempt_log import AttemptLog
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.partition.bursts import Bursts
from hookline_processor.partition.context import PartitionContext
from hookline_processor.partition.lanes import Lane, Lanes
from hookline_processor.partition.outcomes import Wait
from hookline_processor.partition.quarantine import RETURN_AFTER_MS
from hookline_processor.partition.settler import Settler
from hookline_processor.partition.waiting.conditions import ACCOUNT, BREAKER, KIND, PAUSE
from hookline_processor.partition.waiting.resume_requests import HORIZON_MS, LONGEST_WAIT_MS
from hookline_processor.partition.waiting.waiting_sets import WaitingSets
from hookline_processor.replies.outputs import NOTHING
from hookline_processor.retry_record import Record
from hookline_processor.verdicts import DONE, Done, Retry, Verdict, expired_verdict, poison_verdict
from hookline_shared.live import LIVE_MARK, live_of
from hookline_shared.observability.logs import Logger
from hookline_shared.streams.waiting.index import LATER
from hookline_shared.topics import OUTBOX

_CANCEL_TIMEOUT_S: Final = 1.0
"""The time for a cancelled handler to end. One that ignores its cancellation is abandoned."""

_FOLLOWING_PART: Final = 4
"""The part of the window for events that are not the first of their lanes: so little that a topic whose first ones take long is
still read (`Room.open_topics`), with room for as many first ones."""
_FOLLOWING_PART_OF_BURSTS: Final = 2
"""Where bursts are handled, those that follow run together with the first."""


class Execution:
    """Attempts the first events of `lanes` while `may_attempt()`. Queues every outcome with `settler`.

    An event that has to wait leaves memory with its lane: `sets` is told before that is written to Redis. Lanes whose next
    events are to be loaded go to `request_load`; `wake_loads` is called when there is room for more of them.
    """

    def __init__(
        self,
        context: PartitionContext,
        settler: Settler,
        sets: WaitingSets,
        request_load: Callable[[Lane], None],
        may_attempt: Callable[[], bool],
        wake_loads: Callable[[], None],
        logger: Logger,
    ) -> None:
        self._context = context
        self._slots = context.slots
        self._attempts = context.attempts
        self._destinations = context.destinations
        self._quarantine = context.quarantine
        self._clock = context.clock
        self._loop = asyncio.get_running_loop()  # asking for it costs a system call before Python 3.12
        self._settler = settler
        self._sets = sets
        self._may_attempt = may_attempt
        self._log = AttemptLog(logger)
        self._running: dict[asyncio.Task[None], InFlightEvent] = {}
        self._recorded_attempts: dict[InFlightEvent, Record] = {}
        self._suspended: list[Lane] = []
        self._unconfirmed: dict[InFlightEvent, Lane] = {}
        self._ended = False
        ordered = {name for name, topic in context.topics.items() if topic.ordered}
        part = _FOLLOWING_PART_OF_BURSTS if context.attempts.has_bursts else _FOLLOWING_PART
        self.lanes = Lanes(ordered, context.window // part, self._offer, request_load)
        self._bursts = Bursts(context.attempts, self.lanes, self._wait, self._offer, context.clock)
        self._wake_loads = wake_loads

    @property
    def running(self) -> dict[asyncio.Task[None], InFlightEvent]:
        """The running attempts."""
        return self._running

    def go_on(self) -> None:
        """Offer the lanes again whose attempts were not allowed, or cancelled, while the lease was not trusted."""
        suspended, self._suspended = self._suspended, []
        for lane in suspended:
            self._offer(lane)

    def cancel_stoppable(self, reason: str) -> None:
        """Cancel the attempts that can be cancelled, for `reason`. Their events stay in memory, for `go_on`."""
        for task, in_flight in self._running.items():
            if self._attempts.can_be_stopped(in_flight):
                self._attempts.report_cut(in_flight, reason)
                in_flight.record = in_flight.record.interrupt()
                in_flight.withdrawn = True
                task.cancel()

    async def withdraw(self, reason: str) -> None:
        """Cancel all attempts, for `reason`. They count as cut, not as failed."""
        running = list(self._running)
        for task in running:
            in_flight = self._running[task]
            self._attempts.report_cut(in_flight, reason)
            in_flight.withdrawn = True
            self._record_cut(in_flight)  # now, because it may ignore its cancellation until after the end
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=_CANCEL_TIMEOUT_S)

    def end(self) -> None:
        """Ignore what still runs."""
        self._ended = True
        for lane in self.lanes.all():
            self._quarantine.leave(lane)

    def settle_unattempted(self, in_flight: InFlightEvent, verdict: Verdict) -> None:
        """Settle an entry that has no event."""
        assert not isinstance(verdict, Retry)  # noqa: S101 - it would need a lane
        log = self._log.gone if isinstance(verdict, Done) else self._log.undecodable
        log(in_flight.topic, in_flight.entry_id)
        self._settler.settle(in_flight, verdict)

    def confirmed(self, in_flight: InFlightEvent) -> None:
        """Note that Redis has confirmed the settlement of `in_flight`. If it has outputs, its lane goes on only now.

        Otherwise the next attempt could be settled before, and two replies change places; or read what this one is to change.
        """
        if self._unconfirmed and (lane := self._unconfirmed.pop(in_flight, None)) is not None:
            self.lanes.settled(lane, 1 + len(in_flight.burst))
        if in_flight.burst:
            self._wake_loads()  # other bursts may wait for room

    def stale(self, in_flight: InFlightEvent) -> None:
        """Attempt `in_flight` again: it is not settled, since another event has changed the memory that it has read."""
        if in_flight.recorded:
            self._settler.queue_record(in_flight)  # its attempt has ended, so its start is not to be on record
        if (lane := self._unconfirmed.pop(in_flight, None)) is not None:
            self._offer(lane)

    def _offer(self, lane: Lane) -> None:
        """Attempt the first event of `lane` when it gets a worker slot."""
        self._slots.offer(lane, self._work)

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

    async def _work(self, lane: Lane) -> None:
        """Attempt the first event of `lane` and apply the verdict. If cancelled, the event stays pending."""
        in_flight = lane.events[0]
        if not self._may_attempt():
            self._suspended.append(lane)
        elif self._is_given_up(lane, in_flight) or self._must_wait(lane, in_flight):
            self._destinations.pass_over(self._attempts.destination(in_flight))
        elif self._bursts.are_wanted and self._bursts.must_wait(lane):
            pass
        elif not in_flight.record.suspect or in_flight.topic == OUTBOX:
            await self._attempt(lane, in_flight)
        elif self._quarantine.enter(lane):
            try:
                await self._attempt(lane, in_flight)
            finally:
                self._quarantine.leave(lane)
        else:
            self._wait(lane, self._clock.now_ms() + RETURN_AFTER_MS)

    def _is_given_up(self, lane: Lane, in_flight: InFlightEvent) -> bool:
        """Conclude the first event of `lane` if it is not to be attempted any more. Return whether it is not."""
        if in_flight.record.poison if in_flight.topic != OUTBOX else in_flight.record.poison_message:
            self._log.poison(in_flight)
            self._conclude(lane, in_flight, poison_verdict(in_flight.record, self._clock.now_ms()))
        elif LIVE_MARK in in_flight.event.dedupe_key and self._is_expired(in_flight):
            self._log.expired(in_flight)
            self._conclude(
                lane, in_flight, expired_verdict(in_flight.record, in_flight.event.received_at, self._clock.now_ms())
            )
        else:
            return False
        return True

    def _must_wait(self, lane: Lane, in_flight: InFlightEvent) -> bool:
        """Let `lane` wait if its first event may not be attempted yet. Return whether it waits."""
        next_at = in_flight.record.next_at
        if next_at and 0 < next_at - self._clock.now_ms() <= LONGEST_WAIT_MS:  # a later time is that of a wrong clock
            self._wait(lane, next_at)
            return True
        if (pause := self._context.pauses.of(in_flight)) is not None:
            self._wait(lane, pause.until_ms or self._clock.now_ms() + LONGEST_WAIT_MS, f"{PAUSE}:{pause.id}")
            return True
        if in_flight.topic == OUTBOX and (account := self._context.closed_account(in_flight.event)) is not None:
            self._wait(lane, self._clock.now_ms() + LONGEST_WAIT_MS, f"{ACCOUNT}:{account}")
            return True
        if not self._attempts.can_handle(in_flight.event):
            until_ms = in_flight.event.received_at + self._context.unhandled_wait_ms
            if until_ms > self._clock.now_ms():
                self._log.without_handler(in_flight, until_ms)
                self._wait(lane, until_ms, f"{KIND}:{in_flight.event.kind}")
                return True
        return False

    def _is_expired(self, in_flight: InFlightEvent) -> bool:
        """Whether nobody waits any more for the answer to a live event, so that it is not attempted."""
        live = live_of(in_flight.event.dedupe_key)
        return live is not None and not in_flight.replayed and live.is_over(in_flight.event.received_at, self._clock.now_ms())

    async def _attempt(self, lane: Lane, in_flight: InFlightEvent) -> None:
        task = asyncio.current_task(self._loop)
        assert task is not None  # noqa: S101 - a slot runs this in a task of its own
        self._running[task] = in_flight
        run_attempt = self._attempt_recovered if in_flight.recovered else self._attempts.make
        destination = self._attempts.destination(in_flight)
        verdict: Verdict | None
        try:
            if destination is None:
                verdict = await run_attempt(in_flight)
            else:
                verdict = await self._destinations.attempt(destination, in_flight, run_attempt)
        except asyncio.CancelledError:
            in_flight.withdrawn = False
            self._suspended.append(lane)
            raise
        finally:
            del self._running[task]
        if verdict is not None:
            self._conclude(lane, in_flight, verdict)
        elif not self._ended:
            self._wait(lane, self._clock.now_ms(), f"{BREAKER}:{destination}")

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

    def _cancel_unless_allowed(self) -> None:
        """Raise `CancelledError`, as if the attempt was withdrawn, unless it may start."""
        if not self._may_attempt():
            raise asyncio.CancelledError

    def _conclude(self, lane: Lane, in_flight: InFlightEvent, verdict: Verdict) -> None:
        if self._ended:
            return  # the handler ignored its cancellation; another processor has its event by now
        if isinstance(verdict, Retry):
            verdict = self._bursts.after(in_flight, verdict) if self._bursts.are_wanted else verdict
            self._wait(lane, verdict.record.next_at, verdict=verdict)
            return
        self._settler.settle(in_flight, verdict)
        if verdict is not DONE and isinstance(verdict, Done) and verdict.outputs is not NOTHING:
            self._unconfirmed[in_flight] = lane
        else:
            self.lanes.settled(lane, 1 + len(in_flight.burst))

    def _wait(self, lane: Lane, time_ms: int, condition: str = "", verdict: Retry | None = None) -> None:
        """Let `lane` wait in Redis until `time_ms`, in Unix ms, or for `condition`. It leaves memory when that is confirmed."""
        if not condition and time_ms - self._clock.now_ms() > HORIZON_MS:
            condition = LATER
        lane.leaving = True
        if lane.events[0].recovered and verdict is None:
            lane.events[0].record = lane.events[0].record.interrupt()  # once it waits, nothing else knows that it was in memory
        self._sets.will_wait(lane.topic)
        ids = tuple(in_flight.entry_id for in_flight in lane.events)
        self._settler.settle(lane.events[0], Wait(lane, ids, time_ms, condition, verdict))
