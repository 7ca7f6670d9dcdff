"""The backlog that every processor tells in /backlog, for whoever decides how many there should be."""

import pytest
import redis

from hookline_processor.metrics import RETRYING_EVENTS, WAITING_EVENTS
from hookline_processor.monitoring.backlog import BacklogGauges
from hookline_processor.partition.waiting.waiting_sets import WaitingSets, WaitingTotals
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.waiting.index import LATER
from hookline_shared.topics import CALLS, MESSAGES
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS
from tests.support.time.manual_clock import ManualClock

TOPICS = [MESSAGES, CALLS]


@pytest.fixture
def totals() -> WaitingTotals:
    """Return what waits in the partitions of a processor that owns none."""
    return WaitingTotals()


@pytest.fixture
async def gauges(broker: RedisConnectionManager, totals: WaitingTotals, clock: ManualClock) -> BacklogGauges:
    """Return gauges of a processor."""
    return BacklogGauges(broker, PARTITIONS, TOPICS, totals, 5.0, clock)


async def test_report_is_of_all_partitions(gauges: BacklogGauges, clock: ManualClock, redis_client: "redis.Redis") -> None:
    """Whichever processor is asked tells of everything that is not settled, and how long the first of it has waited."""
    now_ms = clock.now_ms()
    for partition, topic, age_ms in ((0, MESSAGES, 3000), (7, MESSAGES, 1500), (3, CALLS, 4500)):
        redis_client.xadd(keys.topic(partition, topic), {"v": "1"}, id=f"{now_ms - age_ms}-0")
    await gauges.update()
    topics = {
        MESSAGES: {"events": 2, "scheduled": 0, "oldest_seconds": 3.0},
        CALLS: {"events": 1, "scheduled": 0, "oldest_seconds": 4.5},
    }
    assert gauges.report() == {"events": 3, "scheduled": 0, "oldest_seconds": 4.5, "topics": topics}


async def test_report_of_nothing(gauges: BacklogGauges, redis_client: "redis.Redis") -> None:
    """No backlog is a number, too."""
    assert redis_client.dbsize() == 0
    await gauges.update()
    nothing = {"events": 0, "scheduled": 0, "oldest_seconds": 0.0}
    assert gauges.report() == {**nothing, "topics": {MESSAGES: nothing, CALLS: nothing}}


async def test_old_number_is_not_told(gauges: BacklogGauges, clock: ManualClock) -> None:
    """Before the first look, and while Redis does not answer, there is a reason in place of a number."""
    assert isinstance(gauges.report(), str)
    await gauges.update()
    assert isinstance(gauges.report(), dict)
    await clock.advance(60)
    assert "Redis" in str(gauges.report())
    await gauges.update()
    assert isinstance(gauges.report(), dict)


async def test_waiting_lanes_are_measured_by_reason(gauges: BacklogGauges, totals: WaitingTotals) -> None:
    """A retry and a `RetryLater` are a time; what has been waited for is 0, not what it was."""
    sets = WaitingSets(TOPICS)
    totals.add(sets)
    for condition, count in (("", 1), (LATER, 2), ("breaker:crm", 3), ("pause:1f", 4), ("kind:call.status", 5)):
        sets.polled(MESSAGES, condition, count, 9, sets.changes(MESSAGES))
    for gone in (False, True):
        if gone:
            totals.discard(sets)
        await gauges.update()
        expected = {"time": 3, "breaker": 3, "pause": 4, "kind": 5}
        measured = {reason: WAITING_EVENTS.labels(MESSAGES, reason)._value.get() for reason in expected}
        assert measured == (dict.fromkeys(expected, 0) if gone else expected)
        assert RETRYING_EVENTS.labels(MESSAGES)._value.get() == (0 if gone else 3)
