"""Who reads the streams, as processors publish it in Redis, alone and in a cluster."""

from collections.abc import Sequence

import pytest

from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.readers.published import encode
from hookline_shared.readers.survey import Survey, registered, survey
from hookline_shared.readers.watch import ReadersWatch
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appender
from hookline_shared.streams.ownership.lease import LeaseRequest, Leases
from hookline_shared.topics import DEFAULT_TOPICS
from tests.integration.conftest import Connect
from tests.support.processor.events import event, key_of
from tests.support.servers.cluster_set import ClusterSet
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS
from tests.support.time.manual_clock import ManualClock
from tests.support.waiting import until_answer

INTERVAL_S = 5.0
EVERYWHERE = list(range(PARTITIONS))


async def join(
    redis: RedisConnectionManager,
    name: str,
    partitions: Sequence[int] = EVERYWHERE,
    topics: Sequence[str] = DEFAULT_TOPICS,
    lease_s: float = 10,
) -> Leases:
    """Let a processor join that owns `partitions` and reads `topics`; none means that it publishes nothing."""
    about = encode(PARTITIONS, lease_s, topics, ["*"], []) if topics else b""
    owner = Leases(redis, name, lease_s, 5, about)
    await owner.heartbeat()
    await owner.ask(dict.fromkeys(partitions, (LeaseRequest.ACQUIRE, 0)))
    return owner


async def deliver(redis: RedisConnectionManager, topic: str, partition: int) -> None:
    await Appender(redis, PARTITIONS, 3600, 1000).append([(topic, event(key=key_of(partition)))], 5)


def found(gaps: Survey, *written: str) -> list[str]:
    return [gap.found for gap in gaps.gaps(written)]


async def test_processors_are_known_by_what_they_publish(broker: RedisConnectionManager) -> None:
    """Each is there with its topics until it leaves; one of an older version publishes nothing and counts all the same."""
    first = await join(broker, "a", EVERYWHERE[:4])
    await join(broker, "b", EVERYWHERE[4:], topics=())
    seen = await survey(broker, PARTITIONS)
    assert [(one.name, one.published and one.published.topics) for one in seen.processors] == [
        ("a", tuple(sorted(DEFAULT_TOPICS))),
        ("b", None),
    ]
    assert seen.unread(["vip"]) == {"vip": EVERYWHERE[:4]}
    await first.leave()
    assert [one.name for one in (await survey(broker, PARTITIONS)).processors] == ["b"]
    assert await broker.execute("test", keys.about("a"), "EXISTS", keys.about("a")) == 0


async def test_topic_of_ingress_that_nobody_reads(broker: RedisConnectionManager, clock: ManualClock) -> None:
    """Ingress tells at once, a processor as soon as there is an event: it knows the topic from Redis."""
    await join(broker, "a")
    topics = [*DEFAULT_TOPICS, "vip"]
    ingress = ReadersWatch(broker, PARTITIONS, topics, INTERVAL_S, clock)
    processor = ReadersWatch(broker, PARTITIONS, (), INTERVAL_S, clock)
    for watch in (ingress, processor):
        await watch.look()
    assert ingress.measures()["topic_unread"](0) == {"vip": PARTITIONS}
    assert (processor.measures()["topic_unread"](0), processor.warnings()) == ({}, [])
    assert await registered(broker) == sorted(topics)
    await deliver(broker, "vip", 2)
    await processor.look()
    assert processor.warnings() == [], "it may be a restart"
    await processor.look()
    assert processor.measures()["topic_unread"](0) == {"vip": 1}
    (warning,) = processor.warnings()
    assert warning.startswith("Nobody reads topic vip in partition 2.")
    await join(broker, "a", topics=topics)
    for watch in (ingress, processor):
        await watch.look()
        assert (watch.measures()["topic_unread"](0), watch.warnings()) == ({}, [])


async def test_topic_that_was_taken_out_of_the_settings(broker: RedisConnectionManager, clock: ManualClock) -> None:
    """If neither service has a topic any more, its events are told by both."""
    before = ReadersWatch(broker, PARTITIONS, ["vip"], INTERVAL_S, clock)
    await before.look()
    await deliver(broker, "vip", 0)
    await join(broker, "a")
    for written in (DEFAULT_TOPICS, ()):
        watch = ReadersWatch(broker, PARTITIONS, written, INTERVAL_S, clock)
        await watch.look()
        assert watch.measures()["topic_unread"](0) == {"vip": 1}


async def test_partitions_and_processors_that_are_missing(broker: RedisConnectionManager, clock: ManualClock) -> None:
    """No processor at all is one alert, partitions without an owner another."""
    watch = ReadersWatch(broker, PARTITIONS, DEFAULT_TOPICS, INTERVAL_S, clock)
    measures = watch.measures()
    assert measures["processor_down"](0) is None, "it has not looked yet"
    await watch.look()
    assert [measures[name](0) for name in ("processor_down", "partitions_unowned")] == [{"": 1}, {"": 0}]
    await join(broker, "a", EVERYWHERE[:5])
    await watch.look()
    await watch.look()
    assert [measures[name](0) for name in ("processor_down", "partitions_unowned")] == [{"": 0}, {"": 3}]
    assert [one.partition(". ")[0] for one in watch.warnings()] == ["No processor owns partitions 5-7"]
    await clock.advance(3 * INTERVAL_S + 1)
    assert measures["partitions_unowned"](0) is None, "what was seen is too old"
    assert watch.warnings() == []


async def test_what_a_dead_processor_published_expires(broker: RedisConnectionManager) -> None:
    """It is gone with its lease and its heartbeat."""
    await join(broker, "a", lease_s=0.2)
    await until_answer(lambda: survey(broker, PARTITIONS), lambda seen: not seen.processors, "it is no longer alive")
    assert found(await survey(broker, PARTITIONS)) == ["No processor is running."]


async def test_full_memory_hinders_no_heartbeat(own_redis: RedisServer, connect: Connect) -> None:
    """A processor can join, and publish what it reads, while Redis has no memory left."""
    broker = connect(own_redis.url)
    with own_redis.client as client:
        client.config_set("maxmemory", 1)
        await join(broker, "a")
        assert [one.published is not None for one in (await survey(broker, PARTITIONS)).processors] == [True]


async def test_cluster(cluster_set: ClusterSet, connect: Connect, clock: ManualClock) -> None:
    """What processors publish is in the slot of their heartbeats; the topics are anywhere."""
    broker = connect(cluster_set.url)
    await broker.monitor.refresh()
    await join(broker, "a")
    watch = ReadersWatch(broker, PARTITIONS, ["vip"], INTERVAL_S, clock)
    await watch.look()
    assert watch.measures()["topic_unread"](0) == {"vip": PARTITIONS}


async def test_redis_that_does_not_answer(own_redis: RedisServer, connect: Connect, clock: ManualClock) -> None:
    """Nothing is concluded from silence."""
    watch = ReadersWatch(connect(own_redis.url), PARTITIONS, ["vip"], INTERVAL_S, clock)
    own_redis.kill()
    with pytest.raises(BrokerUnavailableError):
        await watch.look()
    assert all(measure(0) is None for measure in watch.measures().values())
