"""Lanes in memory, and what they ask for."""

from hookline_processor.in_flight import InFlightEvent
from hookline_processor.partition.lanes import Lane, Lanes
from hookline_processor.retry_record import Record
from hookline_shared.event import Event
from hookline_shared.topics import MESSAGES

MOST_BEHIND = 20


class LaneHarness:
    """What the lanes have asked for, and the lanes themselves; `statuses` is not ordered."""

    def __init__(self) -> None:
        self.offers: list[Lane] = []
        self.requests: list[Lane] = []
        self.lanes = Lanes({MESSAGES}, MOST_BEHIND, self.offers.append, self.requests.append)

    def add(self, *numbers: int, key: str = "a", topic: str = MESSAGES) -> Lane:
        """Add events to their lanes, whether or not there is room; return the last lane."""
        for number in numbers:
            in_flight = held(key, number, topic=topic)
            lane = self.lanes.get_or_add(in_flight)
            self.lanes.append(lane, in_flight)
        return lane

    def loaded(self, lane: Lane, *, more: bool) -> None:
        """Answer the request of `lane`, since which nothing of it was deferred."""
        lane.behind = False
        self.lanes.loaded(lane, indexed=True, more=more)


def held(key: str, number: int, record: Record | None = None, topic: str = MESSAGES) -> InFlightEvent:
    event = Event(id=f"{number}", kind="k", key=key, dedupe_key="", received_at=0, target="/", body=b"")
    return InFlightEvent(topic, str(number), event, record or Record())
