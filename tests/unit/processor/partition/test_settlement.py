"""Combining verdicts into one settlement."""

from hookline_processor.in_flight import InFlightEvent
from hookline_processor.partition.settler import combine
from hookline_processor.retry import Record, encode_record
from hookline_processor.verdicts import Dead, Done, Failure, Reason, Retry, Verdict
from hookline_shared.event import Event

DEAD = Dead(Reason.REJECTED, Failure("Reject", "no", "tb"), 1, 5)


def held(number: int, topic: str = "messages", record: Record | None = None) -> InFlightEvent:
    event = Event(id=f"e{number}", kind="k", key="", dedupe_key="", received_at=0, target="/", body=b"")
    return InFlightEvent(topic, f"{number}-0", event, record or Record(), recorded=record is not None)


def test_verdicts_are_sorted_by_what_is_to_be_done() -> None:
    """Done events are grouped by topic, failures carry their record, dead ones their letter."""
    record = Record(failures=1, next_at=9)
    batch: list[tuple[InFlightEvent, Verdict]] = [
        (held(1), Done()),
        (held(2), Retry(record)),
        (held(3, "calls"), Done()),
        (held(4), DEAD),
        (held(5), Done()),
    ]
    settlements = combine(batch, now_ms=77)
    assert settlements.done == {"messages": ["1-0", "5-0"], "calls": ["3-0"]}
    assert settlements.failed == {"messages/2-0": encode_record(record)}
    (dead,) = settlements.dead
    assert (dead.topic, dead.entry_id) == ("messages", "4-0")
    fields = dict(zip(dead.letter[::2], dead.letter[1::2], strict=True))
    assert (fields["dead.reason"], fields["dead.message"], fields["dead.at"]) == ("rejected", "no", "77")
    assert settlements.recorded == []


def test_record_goes_with_its_event() -> None:
    """The retry record of an event that failed before is removed when the event is settled."""
    batch: list[tuple[InFlightEvent, Verdict]] = [
        (held(1, record=Record(failures=2)), Done()),
        (held(2, record=Record(failures=3)), DEAD),
    ]
    assert combine(batch, 0).recorded == ["messages/1-0", "messages/2-0"]


def test_no_two_batches_share_anything() -> None:
    """Each combination begins empty."""
    combine([(held(1), Done())], 0)
    assert combine([], 0).done == {}


def test_attempts_are_told_of_those_that_failed_before() -> None:
    """The ledger learns how often an event was attempted; one attempt goes without saying."""
    batch: list[tuple[InFlightEvent, Verdict]] = [
        (held(1), Done()),
        (held(2, "calls", Record(failures=2)), Done()),
        (held(3, record=Record(failures=1)), DEAD),
    ]
    assert combine(batch, 0).attempts == {"calls": {"2-0": 3}}
