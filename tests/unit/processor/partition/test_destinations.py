"""Breakers of what handlers talk to."""

import asyncio
from collections.abc import Callable
from math import inf

import pytest

from hookline_processor.in_flight import InFlightEvent
from hookline_processor.partition.destinations import Destinations
from hookline_processor.retry_record import NEVER_FAILED, Record
from hookline_processor.verdicts import Dead, Done, Failure, Reason, Retry, Verdict
from hookline_shared.event import Event
from tests.support.observability.logbook import Logbook
from tests.support.time.manual_clock import ManualClock

FAILURES = 3
CRM = "crm"
FAILED = Retry(Record(failures=1), Failure("ConnectError", "to the account of +14155550123"))
EXHAUSTED = Dead(Reason.EXHAUSTED, Failure("ConnectError", "no"), 8, 1)
REJECTED = Dead(Reason.REJECTED, Failure("Reject", "not for us"), 1, 1)
LATER = Retry(NEVER_FAILED)


class Visits:
    """Attempts through one destination, and how often it said that more lanes may be resumed."""

    def __init__(self, logbook: Logbook) -> None:
        self.clock = ManualClock()
        self.destinations = Destinations(FAILURES, self.clock, logbook.logger)
        self.made: list[str] = []
        self.changes = 0
        self.end_listening = self.destinations.on_change(self._changed)

    async def attempt(self, name: str, verdict: Verdict) -> Verdict | None:
        async def make(in_flight: InFlightEvent) -> Verdict:
            self.made.append(in_flight.entry_id)
            return verdict

        return await self.destinations.attempt(CRM, held(name), make)

    def begin(self, name: str, verdict: Verdict) -> tuple["asyncio.Future[Verdict | None]", Callable[[], None]]:
        """Begin an attempt; return it, and what ends it."""
        end = asyncio.Event()

        async def make(_in_flight: InFlightEvent) -> Verdict:
            await end.wait()
            return verdict

        return asyncio.ensure_future(self.destinations.attempt(CRM, held(name), make)), end.set

    async def claim(self) -> float:
        """Wait until there is a change, and claim what may be resumed."""
        before = self.changes
        while self.changes == before:
            await self.clock.advance(0.05)
        return self.destinations.claim(CRM)

    async def fail(self, *names: str) -> None:
        for name in names:
            assert await self.attempt(name, FAILED) == FAILED

    def _changed(self) -> None:
        self.changes += 1


@pytest.fixture
def visits(logbook: Logbook) -> Visits:
    """Return a destination that nobody has been to."""
    return Visits(logbook)


def held(name: str) -> InFlightEvent:
    event = Event(id=name, kind="k", key=name, dedupe_key="", received_at=0, target="/", body=b"")
    return InFlightEvent("messages", name, event)


async def test_open_breaker_lets_events_wait_unattempted(visits: Visits) -> None:
    """After some failures in a row nothing more is attempted, and nothing that waits is resumed."""
    await visits.fail("a", "b", "c")
    assert await visits.attempt("d", Done()) is None
    assert visits.made == ["a", "b", "c"]
    assert visits.destinations.claim(CRM) == 0


async def test_success_between_failures_keeps_it_closed(visits: Visits) -> None:
    """Only failures in a row count."""
    for _ in range(5):
        await visits.fail("a", "b")
        assert await visits.attempt("c", Done()) == Done()


@pytest.mark.parametrize("verdict", [LATER, REJECTED])
async def test_what_the_handler_decides_is_no_failure(visits: Visits, verdict: Verdict) -> None:
    """Asking for another time, or rejecting the event, says nothing about the destination, neither good nor bad."""
    for name in "abcdef":
        assert await visits.attempt(name, verdict) == verdict
    await visits.fail("g", "h")
    await visits.attempt("i", verdict)
    await visits.fail("j")
    assert await visits.attempt("k", Done()) is None


async def test_one_event_that_always_fails_opens_nothing(visits: Visits) -> None:
    """It would keep all others waiting for what is wrong with itself, and never use up its attempts."""
    for _ in range(20):
        assert await visits.attempt("bad", FAILED) == FAILED
    assert await visits.attempt("bad", EXHAUSTED) == EXHAUSTED
    assert await visits.attempt("good", Done()) == Done()


async def test_nobody_waits_for_a_destination_that_is_well(visits: Visits) -> None:
    """All may be resumed whose breaker is closed, or that nobody has been to since the process began."""
    assert visits.destinations.claim(CRM) == inf
    await visits.attempt("a", Done())
    assert visits.destinations.claim(CRM) == inf


async def test_probe_that_succeeds_lets_all_others_go_on(visits: Visits) -> None:
    """When the probe is due one lane may be resumed; after it has gone well, all that wait."""
    await visits.fail("a", "b", "c")
    assert await visits.attempt("d", Done()) is None
    assert await visits.claim() == 1
    assert visits.destinations.claim(CRM) == 0
    before = visits.changes
    assert await visits.attempt("d", Done()) == Done()
    assert visits.changes == before + 1
    assert visits.destinations.claim(CRM) == inf
    assert await visits.attempt("e", Done()) == Done()


async def test_failed_probe_is_no_attempt(visits: Visits) -> None:
    """The event waits again, as if it had not been tried, and another one is the next probe."""
    await visits.fail("a", "b", "c")
    await visits.attempt("d", FAILED)
    for name, verdict in (("d", FAILED), ("e", EXHAUSTED)):
        assert await visits.claim() == 1
        assert await visits.attempt(name, verdict) is None
        assert visits.destinations.claim(CRM) == 0
    assert visits.made == ["a", "b", "c", "d", "e"]
    assert await visits.claim() == 1


async def test_one_probe_at_a_time(visits: Visits) -> None:
    """What comes while the probe is under way waits for how it ends."""
    await visits.fail("a", "b", "c")
    await visits.clock.advance(2)
    probe, end = visits.begin("d", Done())
    await asyncio.sleep(0)
    assert await visits.attempt("e", Done()) is None
    assert visits.destinations.claim(CRM) == 0
    end()
    assert await probe == Done()
    assert visits.destinations.claim(CRM) == inf


async def test_probe_that_is_withdrawn_makes_room_for_another(visits: Visits) -> None:
    """As at a hand-over: the cancellation says nothing, and the next one may come."""
    await visits.fail("a", "b", "c")
    assert await visits.claim() == 1
    probe, _ = visits.begin("d", Done())
    await asyncio.sleep(0)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert await visits.claim() == 1
    assert await visits.attempt("e", Done()) == Done()


async def test_lane_that_was_resumed_and_does_not_come(visits: Visits) -> None:
    """Then another one is resumed soon: nobody waits for ever for a probe that is not made."""
    await visits.fail("a", "b", "c")
    assert await visits.claim() == 1
    began_s = visits.clock.monotonic()
    assert await visits.claim() == 1
    assert visits.clock.monotonic() - began_s < 1


async def test_probe_that_never_ends(visits: Visits) -> None:
    """A plain function may hang for ever: after a while another event is the probe, and its outcome counts."""
    await visits.fail("a", "b", "c")
    await visits.clock.advance(2)
    hung, end = visits.begin("d", FAILED)
    await asyncio.sleep(0)
    assert await visits.attempt("e", Done()) is None
    assert await visits.claim() == 1
    assert await visits.attempt("e", Done()) == Done()
    end()
    await hung
    assert await visits.attempt("f", Done()) == Done()


async def test_partition_that_ended_is_not_told(visits: Visits) -> None:
    """Its waiting lanes are somebody else's by now; ending twice is as good as once."""
    await visits.fail("a", "b", "c")
    visits.end_listening()
    visits.end_listening()
    await visits.clock.advance(10)
    assert visits.changes == 0


async def test_every_partition_is_told(visits: Visits) -> None:
    """Its lanes wait apart from those of the others."""
    other: list[int] = []
    visits.destinations.on_change(lambda: other.append(1))
    await visits.fail("a", "b", "c")
    await visits.claim()
    assert len(other) == visits.changes == 1


async def test_reason_in_the_log_names_nobody(visits: Visits, logbook: Logbook) -> None:
    """Messages of errors may quote numbers; the breaker's line has the error's type alone."""
    await visits.fail("a", "b", "c")
    line = logbook.find("breaker changed")
    assert line is not None
    assert line["breaker"] == CRM
    assert "ConnectError" in line["reason"]
    assert "+1415" not in str(line)


async def test_lane_that_has_nothing_to_attempt_leaves_the_probe_to_another(visits: Visits) -> None:
    """A thousand calls that have expired behind an open breaker must not take half a second each before the first probe."""
    await visits.fail("a", "b", "c")
    assert await visits.claim() == 1
    at, changes = visits.clock.monotonic(), visits.changes
    for number in range(1, 1000):
        visits.destinations.pass_over(CRM)
        assert visits.changes == changes + number, "it is said that another lane may be resumed"
        assert visits.destinations.claim(CRM) == 1
    assert await visits.attempt("live", Done()) == Done()
    assert visits.clock.monotonic() == at
    assert visits.destinations.claim(CRM) == inf


async def test_passing_over_changes_nothing_else(visits: Visits) -> None:
    """Of a destination that is unknown, closed, open, or under probe."""
    for name in (None, "other", CRM):
        visits.destinations.pass_over(name)
    await visits.fail("a", "b", "c")
    visits.destinations.pass_over(CRM)
    assert visits.destinations.claim(CRM) == 0
    await visits.claim()
    probe, end = visits.begin("d", Done())
    await asyncio.sleep(0)
    visits.destinations.pass_over(CRM)
    assert visits.destinations.claim(CRM) == 0
    end()
    assert await probe == Done()
