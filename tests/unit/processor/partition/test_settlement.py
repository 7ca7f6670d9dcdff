"""Combining outcomes into one settlement."""

from hookline_processor.in_flight import InFlightEvent
from hookline_processor.partition.lanes import Lane
from hookline_processor.partition.outcomes import Outcome, Wait, combine
from hookline_processor.retry_record import NEVER_FAILED, Record, encode_record
from hookline_processor.verdicts import Dead, Done, Failure, Reason, Retry
from hookline_shared.event import Event
from hookline_shared.streams.settlements import LeavingEntry, WaitingLane
from hookline_shared.streams.waiting.index import lane_id

DEAD = Dead(Reason.REJECTED, Failure("Reject", "no", "tb"), 1, 5)
FAILED = Record(failures=1, next_at=9)
KEY = "+14155550123"
LANE = lane_id("messages", KEY)


def held(number: int, topic: str = "messages", record: Record | None = None, lane: str = "") -> InFlightEvent:
    event = Event(id=f"e{number}", kind="k", key=KEY, dedupe_key="", received_at=0, target="/", body=b"")
    record, recorded = record or NEVER_FAILED, record is not None
    return InFlightEvent(topic, f"{number}-0", event, record, recorded=recorded, lane_id=lane)


def wait(*entries: str, condition: str = "", verdict: Retry | None = None, topic: str = "messages") -> Wait:
    return Wait(Lane(topic, KEY), entries, 9, condition, verdict)


def test_outcomes_are_sorted_by_what_is_to_be_done() -> None:
    """Done events are grouped by topic, those that wait carry their lane and record, dead ones their letter."""
    batch: list[tuple[InFlightEvent, Outcome]] = [
        (held(1), Done()),
        (held(2), wait("2-0", "6-0", verdict=Retry(FAILED))),
        (held(3, "calls"), Done()),
        (held(4), DEAD),
        (held(5), Done()),
    ]
    settlements = combine(batch, now_ms=77)
    assert settlements.done == {"messages": ["1-0", "5-0"], "calls": ["3-0"]}
    assert settlements.failed == {"messages/2-0": encode_record(FAILED)}
    assert settlements.waiting == [WaitingLane("messages", LANE, "", 9, ["2-0", "6-0"])]
    (dead,) = settlements.dead
    assert (dead.topic, dead.entry_id) == ("messages", "4-0")
    fields = dict(zip(dead.letter[::2], dead.letter[1::2], strict=True))
    assert (fields["dead.reason"], fields["dead.message"], fields["dead.at"]) == ("rejected", "no", "77")
    assert settlements.recorded == []
    assert settlements.leaving == []


def test_record_goes_with_its_event() -> None:
    """The retry record of an event that failed before is removed when the event is settled."""
    batch: list[tuple[InFlightEvent, Outcome]] = [
        (held(1, record=Record(failures=2)), Done()),
        (held(2, record=Record(failures=3)), DEAD),
    ]
    assert combine(batch, 0).recorded == ["messages/1-0", "messages/2-0"]


def test_event_that_waits_unattempted_keeps_its_record() -> None:
    """What was known about it before is what is known afterwards."""
    settlements = combine([(held(1, record=FAILED), wait("1-0", condition="breaker:crm"))], 0)
    assert settlements.failed == {"messages/1-0": encode_record(FAILED)}
    assert settlements.waiting == [WaitingLane("messages", LANE, "breaker:crm", 9, ["1-0"])]


def test_record_that_says_no_more_than_the_index_is_not_written() -> None:
    """The time of the next attempt is there already: a million `RetryLater` cost no records. An old record goes."""
    later = Retry(Record(next_at=9))
    assert combine([(held(1), wait("1-0", verdict=later))], 0).failed == {}
    again = combine([(held(1, record=Record(begun=1)), wait("1-0", verdict=later))], 0)
    assert (again.failed, again.recorded) == ({}, ["messages/1-0"])


def test_record_alone_settles_nothing() -> None:
    """The beginning of an attempt is written before it begins."""
    begun = Record(begun=1)
    settlements = combine([(held(1, record=NEVER_FAILED, lane=LANE), begun)], 0)
    assert settlements.failed == {"messages/1-0": encode_record(begun)}
    assert (settlements.done, settlements.dead, settlements.waiting, settlements.leaving) == ({}, [], [], [])
    assert settlements.recorded == []


def test_indexed_events_leave_the_index_when_they_are_settled() -> None:
    """Those that wait again stay in it, and the others were never there."""
    batch: list[tuple[InFlightEvent, Outcome]] = [
        (held(1, lane=LANE), Done()),
        (held(2, lane=LANE), DEAD),
        (held(3, lane=LANE), wait("3-0")),
        (held(4), Done()),
    ]
    leaving = [LeavingEntry("messages", LANE, "1-0"), LeavingEntry("messages", LANE, "2-0")]
    assert combine(batch, 0).leaving == leaving


def test_no_two_batches_share_anything() -> None:
    """Each combination begins empty."""
    combine([(held(1, lane=LANE), Done()), (held(2), wait("2-0"))], 0)
    nothing = combine([], 0)
    assert (nothing.done, nothing.waiting, nothing.leaving) == ({}, [], [])


def test_attempts_are_told_of_those_that_failed_before() -> None:
    """The ledger learns how often an event was attempted; one attempt goes without saying."""
    batch: list[tuple[InFlightEvent, Outcome]] = [
        (held(1), Done()),
        (held(2, "calls", Record(failures=2)), Done()),
        (held(3, record=Record(failures=1)), DEAD),
    ]
    assert combine(batch, 0).attempts == {"calls": {"2-0": 3}}
