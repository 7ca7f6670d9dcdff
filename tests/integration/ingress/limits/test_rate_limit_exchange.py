"""Rates that several ingress processes share through Redis, and what happens to them without it."""

import pytest

from hookline_ingress.limits.addresses import GenuineAddresses
from hookline_ingress.limits.rates import Rate
from hookline_ingress.limits.sender_limit import LimitExchange, SenderLimit
from hookline_ingress.metrics import LIMITS_SHARED
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.limits.rate_limits import SharedLimits, Usage
from tests.integration.conftest import Connect
from tests.support.observability.logbook import Logbook
from tests.support.servers.cluster_set import ClusterSet
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.stored import PARTITIONS
from tests.support.time.manual_clock import ManualClock
from tests.support.waiting import until_answer

SLOW = Rate(0.001, 20)
"""Leaks nothing while a test runs, so that levels are whole numbers."""
ACCOUNT, SENDER = "AC1", "+15550001"
ALONE, TOGETHER = "rate limits are counted by this process alone", "rate limits are shared again"


class Process:
    """What one ingress process has of limits."""

    def __init__(self, redis: RedisConnectionManager, clock: ManualClock, logbook: Logbook) -> None:
        self.senders = SenderLimit(SLOW, clock)
        self.limits = SharedLimits(redis, "sender", PARTITIONS)
        self._exchange = LimitExchange([(self.limits, self.senders.meters)], GenuineAddresses(clock), clock, logbook.logger)

    def send(self, events: int) -> bool:
        """Count `events` of the sender; return whether the last one is demoted."""
        return [self.senders.demotes(ACCOUNT, SENDER) for _ in range(events)][-1]

    async def exchange(self) -> bool:
        """Do a pass; return whether limits are shared after it."""
        await self._exchange.exchange()
        return bool(LIMITS_SHARED._value.get())


def level_of(process: Process, clock: ManualClock) -> int:
    meter = process.senders.meters.get(f"{ACCOUNT}:{SENDER}")
    return round(meter.level(clock.monotonic())) if meter else 0


async def test_two_processes_share_a_sender(broker: RedisConnectionManager, clock: ManualClock, logbook: Logbook) -> None:
    """Each of two processes sees less than a burst, both together more: the sender is demoted at both."""
    one, other = Process(broker, clock, logbook), Process(broker, clock, logbook)
    assert not one.send(15)
    assert not other.send(15)
    assert await one.exchange()
    assert await other.exchange()
    assert (level_of(one, clock), level_of(other, clock)) == (15, 30)
    assert not one.send(1)
    assert other.send(1)
    assert await one.exchange()
    assert level_of(one, clock) == 31
    assert one.send(1)


async def test_key_says_nothing_of_the_sender_and_goes_by_itself(
    broker: RedisConnectionManager, clock: ManualClock, logbook: Logbook, redis_server: RedisServer
) -> None:
    """In Redis stands a hash, with the partition as its tag, that expires when the bucket is empty."""
    one = Process(broker, clock, logbook)
    one.send(20)
    await one.exchange()
    with redis_server.client as client:
        (key,) = [key.decode() for key in client.keys("*limit*")]
        left_s = client.pttl(key) / 1000
    name = key.split(":")
    assert (name[0], name[2:4], len(name[4])) == ("hookline", ["limit", "sender"], 32)
    assert name[1] in {f"{{{partition}}}" for partition in range(PARTITIONS)}
    assert "5550001" not in key
    assert 0 < left_s <= 20 / SLOW.per_second


async def test_bucket_leaks_on_the_servers_clock(broker: RedisConnectionManager) -> None:
    """The level falls with time, and never below what was just taken; an empty bucket leaves no key."""
    limits = SharedLimits(broker, "sender", PARTITIONS)

    async def take(events: int) -> float | BrokerUnavailableError:
        (level,) = await limits.exchange([Usage("key", 100.0, 1000.0, events)])
        return level

    assert await take(30) == 30
    fallen = await until_answer(lambda: take(0), lambda level: level == 0, "the bucket is empty")
    assert fallen == 0
    assert await take(5) == 5


async def test_level_has_a_ceiling(broker: RedisConnectionManager) -> None:
    """A flood raises the level to the ceiling and no further."""
    limits = SharedLimits(broker, "sender", PARTITIONS)
    assert await limits.exchange([Usage("key", 0.001, 40.0, 10_000)]) == [40.0]


@pytest.mark.parametrize("fault", ["pause", "kill"])
async def test_without_redis_each_goes_on_alone(
    fault: str, connect: Connect, own_redis: RedisServer, clock: ManualClock, logbook: Logbook
) -> None:
    """While Redis stalls or is gone, decisions are made from what this process counted; when it is back, they are shared."""
    one, other = (Process(connect(own_redis.url), clock, logbook) for _ in range(2))
    one.send(10)
    assert await one.exchange()
    getattr(own_redis, fault)()
    assert not one.send(10)
    assert not await one.exchange()
    assert one.send(1)
    assert logbook.find(ALONE) is not None
    own_redis.resume() if fault == "pause" else own_redis.start()
    await until_answer(one.exchange, bool, "limits are shared again")
    assert logbook.find(TOGETHER) is not None
    other.send(1)
    await until_answer(other.exchange, bool, "the other shares, too")
    assert level_of(other, clock) > SLOW.burst
    assert other.send(1)


async def test_limits_spread_over_a_cluster(connect: Connect, cluster_set: ClusterSet) -> None:
    """In a cluster the keys lie in the slots of the partitions, and one pass reaches all masters."""
    connection = connect(cluster_set.url)
    await connection.monitor.refresh()
    limits = SharedLimits(connection, "sender", PARTITIONS)
    taken = [Usage(f"key {number}", 0.001, 100.0, number) for number in range(1, 50)]
    assert await limits.exchange(taken) == [float(one.events) for one in taken]
