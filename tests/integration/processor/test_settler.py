"""The settler against a real Redis: newest outcomes, lanes that wait, and settlements that Redis refuses."""

import asyncio

import pytest
import redis

from hookline_processor.in_flight import InFlightEvent
from hookline_processor.partition.lanes import Lane
from hookline_processor.partition.outcomes import Wait
from hookline_processor.partition.settler import Settler
from hookline_processor.retry_record import Record
from hookline_processor.verdicts import Dead, Done, Failure, Reason, Retry
from hookline_shared.clock import SystemClock
from hookline_shared.event import decode
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appender
from hookline_shared.streams.consume import NEW, Consumer
from hookline_shared.streams.settlements import Settlements, SettleResult, record_name
from hookline_shared.topics import DEFAULT_TOPICS, MESSAGES
from tests.support.observability.logbook import Logbook
from tests.support.processor.events import event, key_of
from tests.support.processor.feed import claim
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS, Stored
from tests.support.time.manual_clock import ManualClock
from tests.support.waiting import until

PARTITION = 5
REJECTED = Dead(Reason.REJECTED, Failure("Reject", "no"), 1, 1)


@pytest.fixture
async def consumer(broker: RedisConnectionManager) -> Consumer:
    consumer = Consumer(broker, PARTITION, DEFAULT_TOPICS, await claim(broker, PARTITION))
    await consumer.ensure_groups()
    return consumer


async def pending(broker: RedisConnectionManager, consumer: Consumer, number: int) -> list[InFlightEvent]:
    """Return events that were read and not settled."""
    appender = Appender(broker, PARTITIONS, 3600, 1_000_000)
    await appender.append([(MESSAGES, event(key=key_of(PARTITION))) for _ in range(number)], 5)
    ((_, entries),) = await consumer.read({MESSAGES: NEW}, number)
    return [InFlightEvent(MESSAGES, entry.id, decode(entry.fields or ())) for entry in entries]


def wait(*held: InFlightEvent, verdict: Retry | None = None) -> Wait:
    """Return the outcome that the lane of `held` waits."""
    lane = Lane(MESSAGES, held[0].event.key)
    return Wait(lane, tuple(one.entry_id for one in held), 5, "", verdict or Retry(held[0].record))


def no_backlog() -> bool:
    return False


async def test_newest_outcome_counts(
    broker: RedisConnectionManager, consumer: Consumer, stored: Stored, logbook: Logbook
) -> None:
    """However often an event failed while Redis was away, one settlement is queued, and the last one counts."""
    gone: list[InFlightEvent] = []
    waits: list[Wait] = []
    settler = Settler(consumer, gone.append, waits.append, no_backlog, SystemClock(), logbook.logger)
    (held,) = await pending(broker, consumer, 1)
    for failures in range(1, 1000):
        held.record = Record(failures=failures)
        settler.settle(held, wait(held))
    settler.settle(held, Done())
    supervisor = Supervisor(logbook.logger)
    await settler.start(supervisor, "settler")
    await settler.stop(timeout_s=20)
    await supervisor.close()
    assert gone == [held]
    assert waits == []
    assert stored.events() == []
    assert stored.retry_records(PARTITION) == {}


async def test_lane_waits_when_redis_has_said_so(
    broker: RedisConnectionManager, consumer: Consumer, stored: Stored, logbook: Logbook, redis_client: "redis.Redis"
) -> None:
    """Its owner is told once, with all events that left memory; they are still in Redis, the first of them with its record."""
    gone: list[InFlightEvent] = []
    waits: list[Wait] = []
    settler = Settler(consumer, gone.append, waits.append, no_backlog, SystemClock(), logbook.logger)
    held = await pending(broker, consumer, 3)
    held[0].record = Record(failures=1)
    outcome = wait(*held)
    settler.settle(held[0], outcome)
    supervisor = Supervisor(logbook.logger)
    await settler.start(supervisor, "settler")
    await settler.stop(timeout_s=20)
    await supervisor.close()
    assert waits == [outcome]
    assert gone == []
    assert len(stored.events()) == 3
    assert list(stored.retry_records(PARTITION)) == [record_name(MESSAGES, held[0].entry_id)]
    assert redis_client.zrange(keys.waiting(PARTITION, MESSAGES), 0, -1, withscores=True) == [(outcome.lane.id.encode(), 5.0)]


async def test_refused_settlement_holds_up_no_other(
    broker: RedisConnectionManager, consumer: Consumer, stored: Stored, logbook: Logbook
) -> None:
    """A dead letter that Redis refuses is set aside loudly; the others are settled, and it too once Redis takes it."""
    await broker.execute("set", keys.dead(PARTITION), "SET", keys.dead(PARTITION), "no stream")
    gone: list[InFlightEvent] = []
    waits: list[Wait] = []
    settler = Settler(consumer, gone.append, waits.append, no_backlog, SystemClock(), logbook.logger)
    held = await pending(broker, consumer, 5)
    for one in held:
        settler.settle(one, REJECTED if one is held[1] else Done())
    supervisor = Supervisor(logbook.logger)
    await settler.start(supervisor, "settler")
    await until(lambda: len(gone) == 4, "the others are settled")
    assert [fields for _, fields in stored.entries(PARTITION, MESSAGES)] != []
    assert logbook.find("redis refuses a settlement") is not None

    await broker.execute("del", keys.dead(PARTITION), "DEL", keys.dead(PARTITION))
    await until(lambda: len(gone) == 5, "it is settled, too")
    assert len(stored.dead_letters(PARTITION)) == 1
    await settler.stop(timeout_s=20)
    await supervisor.close()
    assert supervisor.failure is None


class _CountingConsumer(Consumer):
    """Records the number of settled events of each batch."""

    batches: list[int]

    async def settle(self, settlements: Settlements) -> SettleResult:
        self.batches.append(sum(map(len, settlements.done.values())))
        return await super().settle(settlements)


@pytest.mark.parametrize(("number", "seconds"), [(100, 0), (7, 1)])
async def test_outcomes_gather_while_events_wait_for_slots(
    broker: RedisConnectionManager, logbook: Logbook, number: int, seconds: int
) -> None:
    """They are settled in one batch once there are a hundred, or after some milliseconds."""
    consumer = _CountingConsumer(broker, PARTITION, DEFAULT_TOPICS, await claim(broker, PARTITION))
    consumer.batches = []
    await consumer.ensure_groups()
    gone: list[InFlightEvent] = []
    waits: list[Wait] = []
    clock = ManualClock()
    settler = Settler(consumer, gone.append, waits.append, lambda: True, clock, logbook.logger)
    supervisor = Supervisor(logbook.logger)
    await settler.start(supervisor, "settler")
    for one in await pending(broker, consumer, number):
        settler.settle(one, Done())
        await asyncio.sleep(0)
    await clock.advance(seconds)
    await until(lambda: len(gone) == number, "all are settled")
    await settler.stop(timeout_s=20)
    await supervisor.close()
    assert consumer.batches == [number]
