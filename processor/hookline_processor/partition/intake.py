"""Takes the entries of one partition into memory: each into its lane, or back to Redis, behind its lane's indexed events."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from hookline_processor.events.placeholder import GONE, UNDECODABLE, added_at, placeholder
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.partition.lanes import Lane, Lanes
from hookline_processor.partition.memory_limits import Room
from hookline_processor.retry_record import NEVER_FAILED, Record, Recovered
from hookline_processor.verdicts import Dead, Done, Failure, Reason, Verdict
from hookline_shared.errors import UndecodableError
from hookline_shared.event import FIELDS_AS_RECEIVED, Event, decode
from hookline_shared.streams.consume import Entry
from hookline_shared.streams.waiting.index import Deferral, DeferRequest, WaitingIndex

_MAX_DEFERRED: Final = 500
_IN_MEMORY: Final = (Deferral.NOT_INDEXED, Deferral.IS_FIRST, Deferral.BEFORE_INDEX)

SettleUnattempted = Callable[[InFlightEvent, Verdict], None]


class IndexedTopics(Protocol):
    """Knows of which topics lanes may be in the index."""

    def may_be_indexed(self, topic: str) -> bool:
        """Whether any lane of `topic` may be in the index."""
        ...

    def was_deferred(self, topic: str) -> None:
        """Note that an event was put into the index."""
        ...


class Intake:
    """Adds entries to `lanes`, as `room` permits.

    `sets` knows of which topics lanes may be in `index`. An entry that needs no attempt, since it has no event, goes to
    `settle_unattempted` instead.
    """

    def __init__(
        self,
        index: WaitingIndex,
        lanes: Lanes,
        room: Room,
        sets: IndexedTopics,
        settle_unattempted: SettleUnattempted,
    ) -> None:
        self._index = index
        self._lanes = lanes
        self._room = room
        self._sets = sets
        self._settle_unattempted = settle_unattempted

    async def admit(self, topic: str, found: Iterable[tuple[Entry, Recovered | None]]) -> int:
        """Take entries of a stream that are not in memory yet, with their records if they were pending; return their bytes.

        Raises:
            BrokerUnavailableError: if Redis did not confirm that some go back. They are pending, and not in memory.

        """
        size = 0
        undecided: list[tuple[InFlightEvent, DeferRequest]] = []
        asked = Counter[str]()
        for entry, recovered in found:
            record, recorded = recovered or (NEVER_FAILED, False)
            in_flight = self.take(topic, entry, record, recovered=recovered is not None, recorded=recorded)
            if in_flight is None:
                continue
            size += len(in_flight.event.body)
            request = self._deferral(in_flight, asked)
            if request is not None:
                undecided.append((in_flight, request))
        while undecided:
            try:
                await self._decide(undecided[:_MAX_DEFERRED])
            except BaseException:
                self._give_up(undecided)
                raise
            del undecided[:_MAX_DEFERRED]
        return size

    def take(
        self, topic: str, entry: Entry, record: Record, *, recovered: bool, recorded: bool, lane_id: str = ""
    ) -> InFlightEvent | None:
        """Return the event of an entry, with room taken for it; None if it is in memory already, or needs no attempt.

        `lane_id` is that of its lane if it is in the waiting index. The others are as in `InFlightEvent`.
        """
        event, verdict = _decode(entry)
        size = len(event.body) if verdict is None else sum(map(len, entry.fields or ()))
        if not self._room.admit(topic, entry.id, size):
            return None
        in_flight = InFlightEvent(topic, entry.id, event, record, recovered=recovered, recorded=recorded, lane_id=lane_id)
        if verdict is None:
            in_flight.replayed = len(entry.fields or ()) > FIELDS_AS_RECEIVED
            return in_flight
        self._settle_unattempted(in_flight, verdict)
        return None

    async def follow(self, lane: Lane) -> bool:
        """Put the events of `lane`, whose first ones wait in Redis, behind these. Return whether the lane is resumed by now.

        Raises:
            BrokerUnavailableError: if Redis did not confirm. They are still in the lane.

        """
        results: Sequence[Deferral] = ()
        while lane.events:
            events = list(lane.events)
            requests = [DeferRequest(lane.topic, lane.id, one.entry_id, always=True, recovered=one.recovered) for one in events]
            results = await self._index.defer(requests)
            self._lanes.removed(lane, len(events))
            for one, result in zip(events, results, strict=True):
                if result is Deferral.GONE:
                    self._settle_unattempted(one, Done())
                else:
                    self._room.release(one.topic, one.entry_id)
        return Deferral.DEFERRED_RESUMED in results

    def _deferral(self, in_flight: InFlightEvent, asked: Counter[str]) -> DeferRequest | None:
        """Add an event to its lane, or return the request to defer it. `asked` counts earlier such requests by lane id."""
        lane = self._lanes.find(in_flight)
        if lane is None:
            if not self._sets.may_be_indexed(in_flight.topic) or self._is_first_of_its_own(in_flight):
                self._lanes.append(self._lanes.add(in_flight), in_flight)
                return None
            lane = self._lanes.lane_of(in_flight)
            number = asked[lane.id]
            always = number > 0 and not self._lanes.has_room(lane, number, asked.total() - len(asked))
        else:
            always = not lane.indexed
            if lane.leaving or (always and not (asked and lane.id in asked) and self._lanes.has_room(lane)):
                self._lanes.append(lane, in_flight)
                return None
        asked[lane.id] += 1
        return DeferRequest(lane.topic, lane.id, in_flight.entry_id, always, in_flight.recovered)

    def _is_first_of_its_own(self, in_flight: InFlightEvent) -> bool:
        """Whether it has a lane of its own that cannot be indexed, since the event is new."""
        return not in_flight.recovered and not self._lanes.is_ordered(in_flight.topic)

    async def _decide(self, undecided: Sequence[tuple[InFlightEvent, DeferRequest]]) -> None:
        """Defer events, and add those that are not deferred to their lanes."""
        results = await self._index.defer([request for _, request in undecided])
        for (in_flight, request), result in zip(undecided, results, strict=True):
            if result in _IN_MEMORY:
                self._add_undeferred(in_flight, request, result)
                continue
            if result is Deferral.GONE:
                self._settle_unattempted(in_flight, Done())
                continue
            self._sets.was_deferred(in_flight.topic)
            self._room.release(in_flight.topic, in_flight.entry_id)
            if result is Deferral.DEFERRED_RESUMED:
                lane = self._lanes.get_or_add(in_flight)
                lane.indexed = lane.behind = True
                self._lanes.load_if_needed(lane)

    def _give_up(self, undecided: Sequence[tuple[InFlightEvent, DeferRequest]]) -> None:
        """Let go of events that may be deferred, or not. Those that come after them in their lanes must not overtake them."""
        for in_flight, _ in undecided:
            self._room.release(in_flight.topic, in_flight.entry_id)
            lane = self._lanes.find(in_flight)
            if lane is not None:
                lane.indexed = lane.behind = True
                self._lanes.load_if_needed(lane)

    def _add_undeferred(self, in_flight: InFlightEvent, request: DeferRequest, result: Deferral) -> None:
        lane = self._lanes.get_or_add(in_flight)
        lane.indexed = lane.behind = result is not Deferral.NOT_INDEXED
        if result is Deferral.IS_FIRST:
            in_flight.lane_id = request.lane
        self._lanes.append(lane, in_flight)


def _decode(entry: Entry) -> tuple[Event, Verdict | None]:
    """Return the event of `entry`, or a placeholder and the verdict that needs no attempt."""
    if entry.fields is None:
        return placeholder(entry.id, GONE, entry.id), Done()
    try:
        return decode(entry.fields), None
    except UndecodableError as error:
        failure = Failure(type(error).__name__, str(error))
        return placeholder(entry.id, UNDECODABLE, entry.id), Dead(Reason.UNDECODABLE, failure, 0, added_at(entry.id))
