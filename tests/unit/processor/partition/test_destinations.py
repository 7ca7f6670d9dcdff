"""Breakers of what handlers talk to."""

import asyncio

import pytest

from hookline_processor.in_flight import InFlightEvent
from hookline_processor.partition.destinations import Destinations
from hookline_processor.partition.lanes import Lane
from hookline_processor.retry import NEVER_FAILED, Record
from hookline_processor.verdicts import Dead, Done, Failure, Reason, Retry, Verdict
from hookline_shared.event import Event
from tests.support.logbook import Logbook
from tests.support.manual_clock import ManualClock

FAILURES = 3
CRM = "crm"
FAILED = Retry(Record(failures=1), Failure("ConnectError", "to the account of +14155550123"))
EXHAUSTED = Dead(Reason.EXHAUSTED, Failure("ConnectError", "no"), 8, 1)
REJECTED = Dead(Reason.REJECTED, Failure("Reject", "not for us"), 1, 1)
LATER = Retry(NEVER_FAILED)


class Visits:
    """Attempts through one destination; lanes that are called again are noted."""

    def __init__(self, logbook: Logbook) -> None:
        self.clock = ManualClock()
        self.destinations = Destinations(FAILURES, self.clock, logbook.logger)
        self.called: list[Lane] = []
        self.made: list[str] = []

    async def attempt(self, lane: Lane, verdict: Verdict) -> Verdict | None:
        async def make() -> Verdict:
            self.made.append(lane.key)
            return verdict

        return await self.destinations.attempt(CRM, lane, make, self.called.append)

    async def next_call(self) -> Lane:
        """Wait until a lane is called."""
        before = len(self.called)
        while len(self.called) == before:
            await self.clock.advance(0.05)
        assert len(self.called) == before + 1
        return self.called[-1]

    async def fail(self, *names: str) -> None:
        for name in names:
            assert await self.attempt(lane(name), FAILED) == FAILED


@pytest.fixture
def visits(logbook: Logbook) -> Visits:
    """Return a destination that nobody has been to."""
    return Visits(logbook)


def lane(name: str) -> Lane:
    event = Event(id=name, kind="k", key=name, dedupe_key="", received_at=0, target="/", body=b"")
    only = Lane("messages", name)
    only.events.append(InFlightEvent("messages", name, event))
    return only


async def test_open_breaker_lets_events_wait_unattempted(visits: Visits) -> None:
    """After some failures in a row nothing more is attempted."""
    await visits.fail("a", "b", "c")
    assert await visits.attempt(lane("d"), Done()) is None
    assert visits.made == ["a", "b", "c"]


async def test_success_between_failures_keeps_it_closed(visits: Visits) -> None:
    """Only failures in a row count."""
    for _ in range(5):
        await visits.fail("a", "b")
        assert await visits.attempt(lane("c"), Done()) == Done()


@pytest.mark.parametrize("verdict", [LATER, REJECTED])
async def test_what_the_handler_decides_is_no_failure(visits: Visits, verdict: Verdict) -> None:
    """Asking for another time, or rejecting the event, says nothing about the destination, neither good nor bad."""
    for name in "abcdef":
        assert await visits.attempt(lane(name), verdict) == verdict
    await visits.fail("g", "h")
    await visits.attempt(lane("i"), verdict)
    await visits.fail("j")
    assert await visits.attempt(lane("k"), Done()) is None


async def test_one_event_that_always_fails_opens_nothing(visits: Visits) -> None:
    """It would keep all others waiting for what is wrong with itself, and never use up its attempts."""
    bad = lane("bad")
    for _ in range(20):
        assert await visits.attempt(bad, FAILED) == FAILED
    assert await visits.attempt(bad, EXHAUSTED) == EXHAUSTED
    assert await visits.attempt(lane("good"), Done()) == Done()


async def test_probe_that_succeeds_calls_all_others(visits: Visits) -> None:
    """When the probe is due one event is called; after it has gone well, all that wait are."""
    await visits.fail("a", "b", "c")
    first, second, third = lane("d"), lane("e"), lane("f")
    for one in (first, second, third):
        assert await visits.attempt(one, Done()) is None
    assert await visits.next_call() is first
    assert await visits.attempt(first, Done()) == Done()
    assert visits.called == [first, second, third]
    assert await visits.attempt(second, Done()) == Done()


async def test_failed_probe_is_no_attempt(visits: Visits) -> None:
    """The event goes behind the others, as if it had not been tried, and another one is the next probe."""
    await visits.fail("a", "b", "c")
    first, second = lane("d"), lane("e")
    for one in (first, second):
        await visits.attempt(one, FAILED)
    for verdict in (FAILED, EXHAUSTED):
        assert await visits.attempt(await visits.next_call(), verdict) is None
    assert visits.made == ["a", "b", "c", "d", "e"]
    assert await visits.next_call() is first


async def test_one_probe_at_a_time(visits: Visits) -> None:
    """What comes while the probe is under way waits for how it ends."""
    await visits.fail("a", "b", "c")
    await visits.clock.advance(2)
    end = asyncio.Event()

    async def make() -> Verdict:
        await end.wait()
        return Done()

    probe = asyncio.ensure_future(visits.destinations.attempt(CRM, lane("d"), make, visits.called.append))
    await asyncio.sleep(0)
    other = lane("e")
    assert await visits.attempt(other, Done()) is None
    end.set()
    assert await probe == Done()
    assert visits.called == [other]


async def test_probe_that_is_withdrawn_makes_room_for_another(visits: Visits) -> None:
    """As at a hand-over: the cancellation says nothing, and the next one is called."""
    await visits.fail("a", "b", "c")
    waiting = lane("d")
    await visits.attempt(waiting, Done())
    await visits.next_call()
    never = asyncio.Event()

    async def make() -> Verdict:
        await never.wait()
        return Done()

    probe = asyncio.ensure_future(visits.destinations.attempt(CRM, waiting, make, visits.called.append))
    await asyncio.sleep(0)
    await visits.attempt(other := lane("e"), Done())
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert await visits.next_call() is other


async def test_lane_that_was_called_and_does_not_come(visits: Visits) -> None:
    """Then another one is called soon: nobody waits for ever for a probe that is not made."""
    await visits.fail("a", "b", "c")
    first, second = lane("d"), lane("e")
    for one in (first, second):
        await visits.attempt(one, Done())
    await visits.clock.advance(2)
    assert visits.called == [first, second]


async def test_probe_that_never_ends(visits: Visits) -> None:
    """A plain function may hang for ever: after a while another event is the probe, and its outcome counts."""
    await visits.fail("a", "b", "c")
    await visits.clock.advance(2)
    never = asyncio.Event()

    async def make() -> Verdict:
        await never.wait()
        return FAILED

    hung = asyncio.ensure_future(visits.destinations.attempt(CRM, lane("d"), make, visits.called.append))
    await asyncio.sleep(0)
    assert await visits.attempt(other := lane("e"), Done()) is None
    assert await visits.next_call() is other
    assert await visits.attempt(other, Done()) == Done()
    never.set()
    await hung
    assert await visits.attempt(lane("f"), Done()) == Done()


async def test_forgotten_lane_is_not_called(visits: Visits) -> None:
    """Its partition is somebody else's by now."""
    await visits.fail("a", "b", "c")
    gone = lane("d")
    await visits.attempt(gone, Done())
    visits.destinations.forget(gone)
    await visits.clock.advance(10)
    assert visits.called == []


async def test_reason_in_the_log_names_nobody(visits: Visits, logbook: Logbook) -> None:
    """Messages of errors may quote numbers; the breaker's line has the error's type alone."""
    await visits.fail("a", "b", "c")
    line = logbook.find("breaker changed")
    assert line is not None
    assert line["breaker"] == CRM
    assert "ConnectError" in line["reason"]
    assert "+1415" not in str(line)
