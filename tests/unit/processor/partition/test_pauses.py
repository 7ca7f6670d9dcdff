"""What a pause stops, and who is told when it ends."""

import asyncio
from collections.abc import Sequence
from math import inf
from typing import Any, cast

import pytest

from hookline_processor.in_flight import InFlightEvent
from hookline_processor.partition.waiting.pauses import Pauses
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.event import Event
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.streams.waiting.pauses import Pause
from hookline_shared.topics import MESSAGES, STATUSES
from tests.support.observability.logbook import Logbook
from tests.support.time.manual_clock import ManualClock

KIND = "message.received"
KEY = "+14155550123"
EVERYTHING = Pause(id="all")


class Store:
    """The pauses in Redis, which may be away."""

    def __init__(self) -> None:
        self.pauses: Sequence[Pause] = ()
        self.is_away = False

    async def read(self) -> list[Pause]:
        if self.is_away:
            raise BrokerUnavailableError("no answer")
        return list(self.pauses)


@pytest.fixture
def store() -> Store:
    """Return a store without pauses."""
    return Store()


@pytest.fixture
def pauses(store: Store, clock: ManualClock) -> Pauses:
    """Return pauses that have not been read."""
    return Pauses(cast(Any, store), clock)


def held(topic: str = MESSAGES, kind: str = KIND, key: str = KEY) -> InFlightEvent:
    event = Event(id="e", kind=kind, key=key, dedupe_key="", received_at=0, target="/", body=b"")
    return InFlightEvent(topic, "1-0", event)


@pytest.mark.parametrize(
    "pause",
    [
        EVERYTHING,
        Pause(id="1", topic=MESSAGES),
        Pause(id="1", kind=KIND),
        Pause(id="1", key=KEY),
        Pause(id="1", topic=MESSAGES, kind=KIND, key=KEY),
    ],
)
def test_pause_covers_what_matches_all_it_names(pause: Pause) -> None:
    """What it does not name may be anything."""
    assert pause.covers(MESSAGES, KIND, KEY)


@pytest.mark.parametrize(
    "pause",
    [
        Pause(id="1", topic=STATUSES),
        Pause(id="1", kind="message"),
        Pause(id="1", key=KEY[:-1]),
        Pause(id="1", topic=MESSAGES, kind="call.status"),
        Pause(id="1", topic=STATUSES, kind=KIND, key=KEY),
    ],
)
def test_pause_covers_nothing_else(pause: Pause) -> None:
    """One name that differs is enough, and a part of a name is another name."""
    assert not pause.covers(MESSAGES, KIND, KEY)


def test_whole_topics_are_covered_by_a_pause_of_nothing_less() -> None:
    """Only then it need not be read."""
    assert EVERYTHING.covers_topic(MESSAGES)
    assert Pause(id="1", topic=MESSAGES).covers_topic(MESSAGES)
    assert not Pause(id="1", topic=MESSAGES).covers_topic(STATUSES)
    assert not Pause(id="1", topic=MESSAGES, kind=KIND).covers_topic(MESSAGES)
    assert not Pause(id="1", key=KEY).covers_topic(MESSAGES)


def test_pause_ends_at_its_time_or_never() -> None:
    """An end of 0 is none."""
    assert not EVERYTHING.has_ended(10**15)
    assert not Pause(id="1", until_ms=100).has_ended(99)
    assert Pause(id="1", until_ms=100).has_ended(100)


async def test_event_is_stopped_by_the_pause_that_covers_it(pauses: Pauses) -> None:
    """The others go on."""
    assert pauses.of(held()) is None
    assert not pauses.stops_topic(MESSAGES)
    pauses.update([Pause(id="s", topic=STATUSES), kind := Pause(id="k", kind=KIND)])
    assert pauses.of(held()) == kind
    assert pauses.of(held(kind="message.edited")) is None
    assert pauses.stops_topic(STATUSES)
    assert not pauses.stops_topic(MESSAGES)


async def test_pause_with_an_end_is_over_by_itself(pauses: Pauses, clock: ManualClock) -> None:
    """Though it is still in Redis."""
    pauses.update([Pause(id="1", until_ms=clock.now_ms() + 5000)])
    assert pauses.of(held()) is not None
    assert (pauses.claim("1"), pauses.stops_topic(MESSAGES)) == (0, True)
    await clock.advance(5)
    assert pauses.of(held()) is None
    assert (pauses.claim("1"), pauses.stops_topic(MESSAGES)) == (inf, False)
    assert pauses.active() == []


async def test_nobody_waits_for_a_pause_that_is_gone(pauses: Pauses) -> None:
    """All lanes that waited for it may be resumed, also after a restart of the process."""
    assert pauses.claim("1") == inf
    pauses.update([Pause(id="1", topic=STATUSES)])
    assert (pauses.claim("1"), pauses.claim("2")) == (0, inf)
    pauses.update([])
    assert pauses.claim("1") == inf


async def test_changes_are_told_to_those_who_listen(pauses: Pauses) -> None:
    """Once each, and not when nothing changed."""
    told: list[str] = []
    end = pauses.on_change(lambda: told.append("first"))
    pauses.on_change(lambda: told.append("second"))
    pauses.update([EVERYTHING])
    pauses.update([EVERYTHING])
    assert told == ["first", "second"]
    end()
    end()
    pauses.update([])
    assert told == ["first", "second", "second"]


async def test_pauses_stay_while_redis_is_away(pauses: Pauses, store: Store, clock: ManualClock, logbook: Logbook) -> None:
    """They are read at the start, and every second from then on; a Redis that does not answer ends none, and nothing else."""
    supervisor = Supervisor(logbook.logger)
    store.pauses = [EVERYTHING]
    await pauses.start(supervisor)
    assert pauses.active() == [EVERYTHING]
    store.is_away, store.pauses = True, []
    await clock.advance(3)
    assert pauses.active() == [EVERYTHING]
    store.is_away = False
    await clock.advance(1)
    assert pauses.active() == []
    store.pauses = [EVERYTHING]
    await clock.advance(1)
    assert pauses.active() == [EVERYTHING]
    await pauses.stop()
    await supervisor.close()
    assert supervisor.failure is None


async def test_nothing_begins_before_the_pauses_are_known(
    pauses: Pauses, store: Store, clock: ManualClock, logbook: Logbook
) -> None:
    """The start waits for Redis, since any event may be paused."""
    supervisor = Supervisor(logbook.logger)
    store.is_away, store.pauses = True, [EVERYTHING]
    starting = asyncio.ensure_future(pauses.start(supervisor))
    await clock.advance(3)
    assert not starting.done()
    store.is_away = False
    await clock.advance(1)
    await starting
    assert pauses.active() == [EVERYTHING]
    await pauses.stop()
    await supervisor.close()
