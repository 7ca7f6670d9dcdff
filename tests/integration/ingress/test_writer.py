"""Group commit: what waits is written together, in order, and every caller gets its own outcome."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from hookline_ingress.writer import NotStored, Writer
from hookline_ingress.writer import Stored as Outcome
from hookline_shared.clock import SystemClock
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.event import Event
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appended, Appender
from hookline_shared.topics import MESSAGES
from tests.integration.conftest import Connect
from tests.support.ingress.writes import write
from tests.support.observability.logbook import Logbook
from tests.support.processor.events import event
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.stored import PARTITIONS, Stored

LONG_S, SHORT_S = 20.0, 0.1


class CountingAppender(Appender):
    """Notes how large the batches are."""

    def __init__(self, redis: RedisConnectionManager) -> None:
        super().__init__(redis, PARTITIONS, dedupe_window_s=3600, backlog_limit=1_000_000)
        self.batches: list[int] = []

    async def append(self, batch: list[tuple[str, Event]], timeout_s: float) -> list[Appended | BrokerUnavailableError]:  # type: ignore[override]
        """Append as ever."""
        self.batches.append(len(batch))
        return await super().append(batch, timeout_s)


@pytest.fixture
async def supervisor(logbook: Logbook) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(logbook.logger)
    yield supervisor
    await supervisor.close()


@pytest.fixture
def appender(connect: Connect, own_redis: RedisServer) -> CountingAppender:
    return CountingAppender(connect(own_redis.url))


async def started(appender: Appender, supervisor: Supervisor, budget_s: float = LONG_S) -> Writer:
    writer = Writer(appender, None, lambda: True, budget_s, budget_s, SystemClock(), Logbook().logger)
    await writer.start(supervisor)
    return writer


def events_in(server: RedisServer) -> list[Event]:
    with server.client as client:
        return Stored(client).events()


async def test_lone_event_is_written_at_once(
    appender: CountingAppender, supervisor: Supervisor, own_redis: RedisServer
) -> None:
    """Nobody waits for company: a single event is a batch."""
    writer = await started(appender, supervisor)
    one = event()
    assert await write(writer, MESSAGES, one) is Outcome.NEW
    assert await write(writer, MESSAGES, one) is Outcome.DUPLICATE
    assert appender.batches == [1, 1]
    assert events_in(own_redis) == [one]


async def test_events_gather_while_one_batch_is_under_way(
    appender: CountingAppender, supervisor: Supervisor, own_redis: RedisServer
) -> None:
    """What comes during a round trip is written together in the next ones, in the order in which it came."""
    writer = await started(appender, supervisor)
    events = [event() for _ in range(600)]
    own_redis.pause()
    first = write(writer, MESSAGES, events[0])
    while not appender.batches:
        await asyncio.sleep(0)
    others = [write(writer, MESSAGES, one) for one in events[1:]]
    await asyncio.sleep(0)
    own_redis.resume()
    assert set(await asyncio.gather(first, *others)) == {Outcome.NEW}
    assert (appender.batches[0], sum(appender.batches)) == (1, 600)
    assert len(appender.batches) <= 4
    assert events_in(own_redis) == events


async def test_every_caller_gets_its_own_outcome(
    appender: CountingAppender, supervisor: Supervisor, own_redis: RedisServer
) -> None:
    """In one batch some are new and others duplicates, and each caller learns what its own is."""
    writer = await started(appender, supervisor)
    own_redis.pause()
    keys = [f"key {number % 7}" for number in range(50)]
    writing = [write(writer, MESSAGES, event(key)) for key in keys]
    await asyncio.sleep(0)
    own_redis.resume()
    outcomes = await asyncio.gather(*writing)
    assert outcomes == [Outcome.NEW] * 7 + [Outcome.DUPLICATE] * 43


async def test_spent_budget_fails_all_that_wait(
    appender: CountingAppender, supervisor: Supervisor, own_redis: RedisServer
) -> None:
    """A caller that waits when Redis stalls gets the error at once, without spending its own budget; then it goes on."""
    writer = await started(appender, supervisor, SHORT_S)
    assert await write(writer, MESSAGES, event()) is Outcome.NEW
    own_redis.pause()
    first = write(writer, MESSAGES, event())
    while len(appender.batches) < 2:
        await asyncio.sleep(0)
    others = [write(writer, MESSAGES, event()) for _ in range(300)]
    outcomes = await asyncio.gather(first, *others)
    assert {type(outcome) for outcome in outcomes} == {NotStored}
    assert appender.batches == [1, 1]
    own_redis.resume()
    own_redis.restart()  # no late write of the batch that was given up
    writer = await started(appender, supervisor)
    assert await write(writer, MESSAGES, event()) is Outcome.NEW


async def test_nothing_is_written_before_the_layout_is_known(
    appender: CountingAppender, supervisor: Supervisor, own_redis: RedisServer
) -> None:
    """Until Redis has answered with a layout that is ours, writing is an error, and nothing waits."""
    ready = False
    writer = Writer(appender, None, lambda: ready, LONG_S, LONG_S, SystemClock(), Logbook().logger)
    await writer.start(supervisor)
    refused = await write(writer, MESSAGES, event())
    assert isinstance(refused, NotStored)
    assert "not been reached yet" in refused.message
    assert appender.batches == []
    assert events_in(own_redis) == []


async def test_fault_of_a_caller_is_its_own(appender: CountingAppender, supervisor: Supervisor) -> None:
    """What raises when it is told where its event is stored takes nothing from the others of its batch."""
    writer = await started(appender, supervisor)

    def fails(_stored: Outcome | NotStored) -> None:
        raise ZeroDivisionError

    writer.write(MESSAGES, event(), fails)
    assert await write(writer, MESSAGES, event()) is Outcome.NEW
    assert await write(writer, MESSAGES, event()) is Outcome.NEW
    assert (appender.batches, supervisor.failure) == ([2, 1], None)
