"""The backlog that every processor tells in /backlog, for whoever decides how many there should be."""

import pytest
import redis

from hookline_processor.monitoring.backlog import BacklogGauges
from hookline_processor.partition.waiting.waiting_sets import WaitingTotals
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.topics import CALLS, MESSAGES, Topic
from tests.support.keys import keys
from tests.support.manual_clock import ManualClock
from tests.support.stored import PARTITIONS

TOPICS = {MESSAGES: Topic(), CALLS: Topic()}


@pytest.fixture
async def gauges(broker: RedisConnectionManager, clock: ManualClock) -> BacklogGauges:
    """Return gauges of a processor that owns nothing."""
    return BacklogGauges(broker, PARTITIONS, list(TOPICS), WaitingTotals(), 5.0, clock)


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
