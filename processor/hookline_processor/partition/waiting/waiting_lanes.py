"""The lanes of one partition that wait in Redis: resumes them when they are due, and loads the events behind the first ones.

A lane waits for a time, or for a condition (`conditions.py`). Neither takes memory, and their number does not matter.
`hookline_shared/streams/waiting/index.py` has the index; docs/architecture.md has the states of an event.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from aiojobs import Job

from hookline_processor.in_flight import InFlightEvent
from hookline_processor.partition.intake import Intake
from hookline_processor.partition.lanes import Lane, Lanes
from hookline_processor.partition.memory_limits import READ_BYTES, Room
from hookline_processor.partition.waiting.conditions import Conditions
from hookline_processor.partition.waiting.load_queue import Load, LoadQueue, load_requests
from hookline_processor.partition.waiting.resume_requests import resume_requests
from hookline_processor.partition.waiting.waiting_sets import TIMED, WaitingSets
from hookline_processor.partition.waiting.wake_timer import WakeTimer
from hookline_processor.retry_record import recover
from hookline_shared.clock import Clock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.observability.logs import Logger
from hookline_shared.streams.consume import Entry
from hookline_shared.streams.waiting.index import (
    Loaded,
    Resumed,
    ResumedLane,
    ResumeRequest,
    StoredEntry,
    WaitingIndex,
)

_POLL_S: Final = 1.0
"""How often waiting lanes are looked at in any case: a command may have changed their time, or a pause ended."""
_RETRY_PAUSE_S: Final = 0.5


class WaitingLanes:
    """Takes lanes out of `index` into `lanes`, as `room` permits, while all `gates` are set. `sets` knows what waits.

    Lanes of a topic wait until it `is_caught_up`: what was in memory before comes first. `lost_touch` is called then.
    Room for `events_per_lane` events is kept for each that is resumed.
    """

    def __init__(
        self,
        index: WaitingIndex,
        sets: WaitingSets,
        lanes: Lanes,
        loads: LoadQueue,
        room: Room,
        intake: Intake,
        conditions: Conditions,
        gates: Sequence[asyncio.Event],
        is_caught_up: Callable[[str], bool],
        clock: Clock,
        logger: Logger,
        events_per_lane: int = 1,
    ) -> None:
        self._events_per_lane = events_per_lane
        self._index = index
        self._sets = sets
        self._lanes = lanes
        self._loads = loads
        self._room = room
        self._intake = intake
        self._conditions = conditions
        self._gates = gates
        self._is_caught_up = is_caught_up
        self._clock = clock
        self._logger = logger
        self._leaving: deque[Lane] = deque()
        self._resumed_unconfirmed: set[str] = set()
        self._settled_since_sent: set[str] = set()
        self._scanned = False
        self._wake = loads.wake
        self._wake.set()
        self._timer = WakeTimer(self._wake, clock)
        self._job: Job[None] | None = None
        self._end_listening = conditions.on_change(self._wake.set)
        room.on_freed(self._wake.set)

    async def start(self, supervisor: Supervisor, name: str) -> None:
        """Start resuming and loading."""
        self._job = await supervisor.spawn(name, self._run())

    async def stop(self) -> None:
        """Stop. A lane whose resumption is not confirmed is found again by the next owner."""
        self._end_listening()
        if self._job is not None:
            await self._job.close()
        self._timer.stop()

    def waits(self, lane: Lane, number: int, condition: str, time_ms: float) -> None:
        """Note that the first `number` events of `lane` wait in Redis now. What was read since follows them."""
        self._sets.waits(lane.topic, condition, time_ms)
        self._loads.drop(lane.id)
        lane.loading = False
        self._lanes.removed(lane, number)
        if lane.events:
            self._leaving.append(lane)
            self._wake.set()
        else:
            self._lanes.remove(lane)
            if lane.id in self._resumed_unconfirmed:
                self._loads.request_by_id(lane.topic, lane.id)
        self._resumed_unconfirmed.discard(lane.id)
        self._wake_in((time_ms - self._clock.now_ms()) / 1000 if condition in TIMED else _POLL_S)

    def settled(self, in_flight: InFlightEvent) -> None:
        """Note that an indexed event was settled: it may be in the answer to a call that was under way."""
        self._settled_since_sent.add(in_flight.entry_id)

    def lost_touch(self) -> None:
        """Look at the whole index again: Redis may have done what it did not confirm, or have lost what it did."""
        self._scanned = False
        self._sets.forget()
        self._wake.set()

    async def pass_once(self) -> None:
        """Put events behind those that wait, load what is requested, and resume what is due.

        Raises:
            BrokerUnavailableError: if Redis did not answer. `lost_touch` is to be called.

        """
        if not self._scanned:
            await self._scan()
        for lane in list(self._leaving):
            if self._is_caught_up(lane.topic):
                await self._follow(lane)
                self._leaving.remove(lane)
        await self._load()
        await self._resume()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            for gate in self._gates:
                await gate.wait()
            self._wake.clear()
            try:
                await self.pass_once()
            except BrokerUnavailableError as error:
                self._logger.debug("waiting events wait for redis", error=str(error))
                self.lost_touch()
                await self._clock.sleep(_RETRY_PAUSE_S)
            else:
                self._schedule()

    def _schedule(self) -> None:
        """Set the timer for the next lane that is due where there is room for it, or for the next poll."""
        if topics := self._topics():
            next_ms = self._sets.next_ms(topic for topic in topics if self._room.free(topic))
            self._wake_in((next_ms - self._clock.now_ms()) / 1000)

    def _wake_in(self, seconds: float) -> None:
        """Wake in `seconds`, or earlier: for the next poll, or because that was requested before."""
        self._timer.wake_in(min(_POLL_S, seconds))

    async def _scan(self) -> None:
        """Find the conditions for which lanes wait, and the resumed lanes that are not in memory."""
        for topic, condition in await self._index.conditions():
            if topic in self._sets.topics():
                waiting = self._sets.found(topic, condition)
                waiting.count = max(1, waiting.count)  # the next poll counts them
        in_memory = {lane.id for lane in self._lanes.all() if lane.indexed}
        for topic in self._topics():
            for lane_id in await self._index.resumed(topic):
                if lane_id not in in_memory and lane_id not in self._loads:
                    self._loads.request_by_id(topic, lane_id)
        self._scanned = True

    async def _follow(self, lane: Lane) -> None:
        resumed = await self._intake.follow(lane)
        lane.leaving = False
        if resumed:  # somebody has removed what it waited for
            self._lanes.load_if_needed(lane)
        else:
            self._lanes.remove(lane)

    async def _load(self) -> None:
        requests = load_requests(self._loads, self._lanes, self._room.free, self._is_caught_up)
        if not requests:
            return
        for load in requests:
            if load.lane is not None:
                load.lane.behind = False  # what is deferred from now on may be missing in the answer
        self._settled_since_sent.clear()
        answers = await self._index.load(list(requests.values()), READ_BYTES)
        for load, loaded in zip(requests, answers, strict=True):
            self._loads.answered(load)
            self._add_loaded(load, loaded)
        if len(self._loads):
            self._wake.set()

    def _topics(self) -> list[str]:
        """Return the topics that may have waiting lanes, as far as these may be resumed."""
        return [topic for topic in self._sets.topics_to_poll() if self._is_caught_up(topic)]

    def _add_loaded(self, load: Load, loaded: Loaded) -> None:
        lane = load.lane
        if lane is not None and (lane.leaving or lane not in self._lanes):
            lane.loading = False
            return  # its first event waits, and these with it
        for entry in loaded.entries:
            in_flight = self._take(load.topic, load.lane_id, entry)
            if in_flight is not None:
                lane = lane or self._lanes.get_or_add(in_flight)
                self._lanes.append(lane, in_flight)
        if lane is not None:
            self._lanes.loaded(lane, indexed=loaded.resumed, more=loaded.more)
        elif loaded.more and not loaded.entries:
            self._loads.request_by_id(load.topic, load.lane_id)  # the answer had no room for it

    def _take(self, topic: str, lane_id: str, entry: StoredEntry) -> InFlightEvent | None:
        """Return the event of an entry from the index. It is attempted now, whatever its record says.

        Return None if it is in memory already, was settled meanwhile, or needs no attempt.
        """
        if entry.id in self._settled_since_sent:
            return None
        record, stored = recover(entry.record)
        return self._intake.take(
            topic,
            Entry(entry.id, entry.fields),
            record.due_now(),
            recovered=entry.was_in_memory or record.suspect,
            recorded=stored,
            lane_id=lane_id,
        )

    async def _resume(self) -> None:
        topics = self._topics()
        requests = resume_requests(self._sets, topics, self._room_for_lanes, self._conditions.claim, self._clock.now_ms())
        if not requests:
            return
        changes = {topic: self._sets.changes(topic) for topic in topics}
        self._settled_since_sent.clear()
        answers = await self._index.resume(requests, READ_BYTES)
        resumed: dict[str, int] = {}
        for request, answer in zip(requests, answers, strict=True):
            topic, condition = request.topic, request.condition
            self._sets.polled(topic, condition, answer.left, answer.next_ms, changes[topic])
            resumed[topic] = answer.resumed
            for lane in answer.lanes:
                await self._add_resumed(request.topic, lane)
        for topic, number in resumed.items():
            self._sets.poll_ended(topic, number, changes[topic])
        # The timer wakes for lanes that wait for a time. Of the others, the next pass resumes more, or none.
        if any(answer.lanes for answer in answers) and any(map(self._may_have_more, requests, answers)):
            self._wake.set()

    def _room_for_lanes(self, topic: str) -> int:
        """Return how many lanes may be resumed, with room for the events of their bursts."""
        free = self._room.free(topic)
        return -(-free // self._events_per_lane)

    def _may_have_more(self, request: ResumeRequest, answer: Resumed) -> bool:
        """Whether more of the lanes can be resumed at once that wait for a condition."""
        return request.condition not in TIMED and request.most > 0 < answer.left and self._room.free(request.topic) > 0

    async def _add_resumed(self, topic: str, resumed: ResumedLane) -> None:
        in_flight = self._take(topic, resumed.lane, resumed.first)
        if in_flight is None:
            if self._room.holds(topic, resumed.first.id):  # the confirmation that it waits is under way
                self._resumed_unconfirmed.add(resumed.lane)
            return
        lane = self._lanes.get_or_add(in_flight)
        if lane.leaving:
            await self._return(lane, in_flight)
        lane.indexed = True
        lane.behind = lane.behind or resumed.behind > 0
        self._lanes.append(lane, in_flight)
        self._lanes.load_if_needed(lane)

    async def _return(self, lane: Lane, in_flight: InFlightEvent) -> None:
        """Let `lane` return with its first event, after what was read since it left has followed it to Redis."""
        try:
            await self._intake.follow(lane)
        except BaseException:
            self._room.release(in_flight.topic, in_flight.entry_id)
            raise
        lane.leaving = False
        if lane in self._leaving:
            self._leaving.remove(lane)
