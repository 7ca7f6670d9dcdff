"""Which events are handled as one, and how long they are waited for."""

import pytest

from hookline_processor.api.table import BurstPolicy
from hookline_processor.in_flight import InFlightEvent
from hookline_processor.partition.bursts import gathered, quiet_at, with_size
from hookline_processor.partition.outcomes import Outcome, combine
from hookline_processor.replies.outputs import Outputs
from hookline_processor.retry_record import Record
from hookline_processor.verdicts import Dead, Done, Failure, Reason, Retry
from hookline_shared.event import Event
from hookline_shared.streams.memory import MemoryWrite
from hookline_shared.streams.settlements import LeavingEntry, Settlements

NOW = 1_000_000
POLICY = BurstPolicy(2.0, 10.0)


def came(*ages_s: float, kind: str = "message.received", account: str = "AC1") -> list[InFlightEvent]:
    """Return events that came so many seconds ago."""
    return [InFlightEvent("messages", f"{n}-0", _event(n, age_s, kind, account)) for n, age_s in enumerate(ages_s)]


def _event(number: int, age_s: float, kind: str, account: str) -> Event:
    received_at = NOW - round(age_s * 1000)
    return Event(
        id=f"e{number}", kind=kind, key="k", dedupe_key="", received_at=received_at, account=account, target="/", body=b""
    )


@pytest.mark.parametrize(
    ("ages", "wait_s"),
    [
        ((0,), 2),  # the first of perhaps several
        ((1.5, 0.5), 1.5),  # the last one counts
        ((5, 1.5, 0.1), 1.9),
        ((9, 0.5), 1),  # but not longer than the limit after the first
        ((3,), 0),  # nothing came since
        ((0,) * 8, 0),  # no more would fit
        ((-3600,), 0),  # the clock of ingress is wrong, or ours is
    ],
)
def test_wait(ages: tuple[float, ...], wait_s: float) -> None:
    """Until nothing has come for two seconds, or ten seconds after the first."""
    assert quiet_at(gathered(came(*ages)), POLICY, NOW) == NOW + wait_s * 1000


def test_leading_run() -> None:
    """Events of another kind or account are no part of it, nor those after them, and then it does not wait for more."""
    events = [*came(0.2, 0.1), *came(0.1, kind="message.status"), *came(0)]
    burst = gathered(events)
    assert burst.events == events[:2]
    assert burst.complete
    assert quiet_at(burst, POLICY, NOW) == NOW
    others = [*came(0), *came(0, account="AC2")]
    assert gathered(others).events == others[:1]


def test_eight_at_most() -> None:
    """The ninth is the first of the next burst."""
    assert len(gathered(came(*[1.0] * 12)).events) == 8


def test_event_from_a_crash_runs_alone() -> None:
    """Whether it is the first or another one, and a suspect as well."""
    events = came(5, 4, 3)
    events[0].recovered = True
    assert gathered(events).events == events[:1]
    assert gathered(events).complete
    events[0].recovered, events[1].recovered = False, True
    assert gathered(events).events == events[:1]
    events[1].recovered, events[0].record = False, Record(begun=1)
    assert gathered(events).events == events[:1]


def test_same_events_are_attempted_again() -> None:
    """What came since is not mixed in: it would be given up with them. It does not wait for quiet either."""
    events = came(0, 0, 0)
    events[0].burst = (events[1],)
    verdict = with_size(Retry(Record(failures=1)), events[0])
    assert verdict.record.burst == 2
    assert verdict.record.worth_storing
    events[0].record = verdict.record
    burst = gathered(events)
    assert burst.events == events[:2]
    assert burst.complete
    alone = gathered(events[:1])
    assert not alone.complete, "its other event is still to be loaded"
    assert quiet_at(alone, POLICY, NOW) == NOW


def settled(outcome: Outcome) -> tuple[list[InFlightEvent], Settlements]:
    events = came(2, 1, 0)
    events[0].burst = tuple(events[1:])
    for one in events:
        one.lane_id = "lane"
    events[2].recorded = True
    return events, combine([(events[0], outcome)], NOW)


def test_burst_is_done_in_one_step() -> None:
    """All events leave with the outputs of the first."""
    memory = MemoryWrite("digest", "", "e0", "{}", 1)
    events, settlements = settled(Done(Outputs(memory=memory)))
    assert settlements.done == {"messages": ["0-0", "1-0", "2-0"]}
    (outputs,) = settlements.outputs
    assert (outputs.entry_id, outputs.memory, list(outputs.with_it)) == ("0-0", memory, ["1-0", "2-0"])
    assert settlements.leaving == [LeavingEntry("messages", "lane", one.entry_id) for one in events]
    assert settlements.recorded == ["messages/2-0"]


def test_burst_is_dead_in_one_step() -> None:
    """Each event is a dead letter of its own, in order, so that it can be replayed."""
    _, settlements = settled(Dead(Reason.REJECTED, Failure("Reject", "no"), 1, 5))
    assert [dead.entry_id for dead in settlements.dead] == ["0-0", "1-0", "2-0"]


def test_record_of_a_burst_is_that_of_its_first_event() -> None:
    """Nothing else of it is written before the burst is settled."""
    _, settlements = settled(Record(cut=1))
    assert (settlements.done, settlements.leaving, settlements.recorded) == ({}, [], [])
    assert list(settlements.failed) == ["messages/0-0"]
