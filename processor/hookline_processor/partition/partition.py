"""One owned partition: its events from reading to settlement, while its lease is trusted.

Three parts share the work, and the room in memory passes from one to the next:

    intake      reads entries, and takes room for each (`reader.py`, `intake.py`, `waiting_lanes.py`)
    execution   attempts the first event of each lane (`execution.py`, `lanes.py`)
    settlement  writes the outcomes; the room of an event is given back once Redis has confirmed its outcome (`settler.py`)
"""

import asyncio
from math import inf
from typing import Final

from hookline_processor.events.placeholder import is_placeholder
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.partition.context import PartitionContext
from hookline_processor.partition.execution import Execution
from hookline_processor.partition.intake import Intake
from hookline_processor.partition.lease_trust import Trust
from hookline_processor.partition.memory_limits import Room
from hookline_processor.partition.outcomes import Wait
from hookline_processor.partition.reader import Reader, Reading
from hookline_processor.partition.settler import Settler
from hookline_processor.partition.waiting.load_queue import LoadQueue
from hookline_processor.partition.waiting.waiting_lanes import WaitingLanes
from hookline_processor.partition.waiting.waiting_sets import WaitingSets
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.streams.consume import Consumer
from hookline_shared.streams.waiting.index import WaitingIndex
from hookline_shared.topics import OUTBOX

_SETTLE_RESERVE_S: Final = 1.0
"""The part of the drain time that is reserved for settling finished events."""
_DRAIN_POLL_S: Final = 0.25
"""How often draining checks for a shorter deadline."""
_EVENTS_OF_BURST: Final = 3
"""The events of a burst that have room in memory when it is resumed. Those of a larger one are loaded as others are done."""
_OUT_OF_TIME: Final = "the time for running handlers at a stop or handover is over"
_LOST: Final = "another processor has the partition"
_PAUSED: Final = "the lease of the partition was not renewed in time"


class Partition:
    """Processes one partition, from `start` to `drain` or `abandon`.

    trusted     reads, attempts and settles
    suspended   the trusted time is over: nothing is read or started, and handlers that can be cancelled are cancelled; it
                continues with all its events when it is trusted again
    ended       drained or abandoned; unsettled events are pending for the next owner
    """

    def __init__(self, number: int, consumer: Consumer, index: WaitingIndex, context: PartitionContext) -> None:
        self._number = number
        self._context = context
        self._name = f"partition {number}"
        self._clock = context.clock
        self._logger = context.logger.bind(partition=number)
        self._trust = Trust(context.clock, self._suspend)
        self._drain_deadline = inf
        self._ending = False
        self._ended = False
        self._totals = context.waiting
        self._sets = sets = WaitingSets(context.topics)
        self._totals.add(sets)
        self._loads = loads = LoadQueue()
        self._room = room = Room(context.topics, context.window, context.memory)
        logger, clock = self._logger, context.clock
        self._settler = self._new_settler(consumer)
        self._execution = execution = Execution(
            context, self._settler, sets, loads.request, self._may_attempt, loads.wake.set, logger
        )
        intake = Intake(index, execution.lanes, room, sets, execution.settle_unattempted)
        reading = Reading(self._trust.event, context.ledger_has_room, self._reads_no_more)
        self._reader = Reader(consumer, room, intake.admit, self._lost_touch, reading, clock, logger)
        gates = (self._trust.event, context.ledger_has_room)
        self._waiting = WaitingLanes(
            index,
            sets,
            execution.lanes,
            loads,
            room,
            intake,
            context.conditions,
            gates,
            self._reader.is_caught_up,
            clock,
            logger,
            _EVENTS_OF_BURST if context.attempts.has_bursts else 1,
        )

    def _new_settler(self, consumer: Consumer) -> Settler:
        context = self._context
        has_backlog, clock, logger = context.slots.has_backlog, self._clock, self._logger
        return Settler(
            consumer, self._settled, self._waits, has_backlog, clock, logger, stale=self._stale, copies=context.ledger
        )

    async def start(self, supervisor: Supervisor, *, owned_before: bool) -> None:
        """Start reading and settling, once trusted. `owned_before` is whether this process owned the partition before."""
        await self._settler.start(supervisor, f"{self._name} settler")
        await self._waiting.start(supervisor, f"{self._name} waiting lanes")
        await self._reader.start(supervisor, f"{self._name} reader", owned_before=owned_before)

    def trust(self, until: float) -> None:
        """Trust the lease until `until`, in monotonic seconds."""
        if self._ended:
            return
        self._trust.renew(until)
        if not self._ending:
            self._execution.go_on()

    def check(self) -> str | None:
        """Return the readiness check: why this partition cannot be read, or None if it can."""
        return self._reader.check()

    async def drain(self, timeout_s: float) -> None:
        """Stop reading and starting attempts. Settle what running handlers finish within `timeout_s` seconds, then end."""
        self._ending = True
        self.hurry(timeout_s)
        await self._stop_reading()
        running = self._execution.running
        while running and (left_s := self._drain_deadline - _SETTLE_RESERVE_S - self._clock.monotonic()) > 0:
            await asyncio.wait(running, timeout=min(left_s, _DRAIN_POLL_S))
        if running:
            self._logger.warning("handlers cancelled at the deadline; their events will be handled again", events=len(running))
        await self._execution.withdraw(_OUT_OF_TIME)
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
        await self._execution.withdraw(_LOST)
        await self._settler.stop(0)
        self._end()

    def _end(self) -> None:
        self._ended = True
        self._trust.end()
        self._execution.end()
        self._room.close()
        self._totals.discard(self._sets)

    async def _stop_reading(self) -> None:
        await self._reader.stop()
        await self._waiting.stop()

    def _suspend(self) -> None:
        """Cancel what can be cancelled: another processor may acquire the partition from now on."""
        self._logger.warning(
            "lease not renewed in time; the partition is paused until it is",
            remedy="check whether Redis answers, and whether this process was stopped or too busy to renew the lease",
        )
        self._execution.cancel_stoppable(_PAUSED)

    def _reads_no_more(self, topic: str) -> bool:
        """Whether no new events of `topic` are read: it is paused, or its handlers would add to an outbox that is full."""
        return self._context.pauses.stops_topic(topic) or (topic != OUTBOX and self._context.outbox_is_full(self._number))

    def _may_attempt(self) -> bool:
        """Whether attempts may start."""
        return not self._ending and self._trust.is_valid()

    def _settled(self, in_flight: InFlightEvent) -> None:
        """Free the room of an event that has left Redis."""
        if self._ended:
            return
        self._reader.settled(in_flight.topic, in_flight.entry_id)
        self._execution.confirmed(in_flight)
        if not in_flight.lane_id:
            return
        self._waiting.settled(in_flight)
        if is_placeholder(in_flight.event):
            self._loads.request_by_id(in_flight.topic, in_flight.lane_id)  # nothing else knows what comes after it

    def _stale(self, in_flight: InFlightEvent) -> None:
        """Attempt an event again whose memory has changed since it was read."""
        if not self._ended:
            self._execution.stale(in_flight)

    def _waits(self, wait: Wait) -> None:
        """Let go of the events of a lane that waits in Redis now."""
        if not self._ended:
            for entry_id in wait.entry_ids:
                self._reader.settled(wait.lane.topic, entry_id)
            self._waiting.waits(wait.lane, len(wait.entry_ids), wait.condition, wait.time_ms)

    def _lost_touch(self) -> None:
        self._waiting.lost_touch()
