"""The memory of conversations in a processor: one attempt sees what the one before has written, whatever happens between."""

from collections.abc import AsyncIterator

import pytest
import redis

from hookline import Context, Handlers, MessageReceived
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appender
from hookline_shared.streams.memory import Memories
from hookline_shared.topics import BULK, MESSAGES
from tests.support.observability.logbook import Logbook
from tests.support.processor.conversations import incoming
from tests.support.processor.events import key_of
from tests.support.processor.feed import PARTITION
from tests.support.processor.partition_bench import Bench
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS, Stored
from tests.support.waiting import until


@pytest.fixture
async def bench(broker: RedisConnectionManager, logbook: Logbook) -> AsyncIterator[Bench]:
    """Yield a partition, not yet started, whose handler remembers all texts of a conversation."""
    bench = Bench(broker, logbook)
    handlers = bench.handlers = Handlers()

    @handlers.on(MessageReceived, memory=True)
    async def remember(event: MessageReceived, context: Context) -> None:
        bench.begun.append(event.body)
        texts = [*context.memory.get("texts", []), event.body]
        await bench.open.wait()
        context.memory["texts"] = texts

    yield bench
    await bench.close()


async def texts(broker: RedisConnectionManager, nth: int = 0) -> list[str]:
    """Return what is remembered of a conversation."""
    import json  # noqa: PLC0415

    stored = await Memories(broker, PARTITIONS).load(incoming("", key_of(PARTITION, nth)))
    found: list[str] = json.loads(stored.text or "{}").get("texts", [])
    return found


async def put(broker: RedisConnectionManager, topic: str, *bodies: str, nth: int = 0) -> None:
    events = [(topic, incoming(body, key_of(PARTITION, nth))) for body in bodies]
    await Appender(broker, PARTITIONS, 3600, 1_000_000).append(events, 5)


async def test_conversation_is_remembered(bench: Bench, broker: RedisConnectionManager, stored: Stored) -> None:
    """Each event builds on the one before; conversations have their own."""
    bodies = [f"text {number}" for number in range(30)]
    await put(broker, MESSAGES, *bodies)
    await put(broker, MESSAGES, "other", nth=1)
    partition = await bench.start()
    await until(lambda: stored.events(MESSAGES) == [], "all are settled")
    assert await texts(broker) == bodies
    assert await texts(broker, nth=1) == ["other"]
    assert len(bench.begun) == 31, "each was attempted once"
    await partition.drain(5)


async def test_two_topics_share_a_conversation(bench: Bench, broker: RedisConnectionManager, stored: Stored) -> None:
    """What is demoted to `bulk` is handled beside the rest: who comes second is attempted again, and nothing is lost."""
    bench.open.clear()
    first, second = [f"a{number}" for number in range(10)], [f"b{number}" for number in range(10)]
    await put(broker, MESSAGES, *first)
    await put(broker, BULK, *second)
    partition = await bench.start()
    await until(lambda: len(bench.begun) == 2, "both lanes have read the memory")
    bench.open.set()
    await until(lambda: stored.events() == [], "all are settled")
    found = await texts(broker)
    assert [one for one in found if one in first] == first
    assert [one for one in found if one in second] == second
    assert len(found) == 20
    assert len(bench.begun) > 20, "some were attempted again"
    await partition.drain(5)


async def test_stop_in_the_middle(bench: Bench, broker: RedisConnectionManager, stored: Stored) -> None:
    """The next owner finds what was settled, and nothing of what was not."""
    bodies = [f"text {number}" for number in range(30)]
    await put(broker, MESSAGES, *bodies)
    for _ in range(3):
        partition = await bench.start()
        begun = len(bench.begun)
        await until(lambda begun=begun: len(bench.begun) > begun + 2 or stored.events() == [], "it has begun")  # type: ignore[misc]
        await partition.drain(5)
    partition = await bench.start()
    await until(lambda: stored.events(MESSAGES) == [], "all are settled")
    assert await texts(broker) == bodies
    await partition.drain(5)


async def test_settlement_that_is_refused_holds_its_conversation(
    bench: Bench, broker: RedisConnectionManager, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """The next attempt would read old memory. Another conversation goes on meanwhile."""
    name = keys.memory(PARTITION, _digest(0))
    redis_client.hset(name, "no", "string")
    await put(broker, MESSAGES, "one", "two")
    await put(broker, MESSAGES, "other", nth=1)
    partition = await bench.start()
    await until(lambda: len(stored.events(MESSAGES)) == 2, "the other one is settled")
    assert set(bench.begun) == {"other"}, "memory that cannot be read is waited for"
    redis_client.delete(name)
    await until(lambda: stored.events(MESSAGES) == [], "all are settled")
    assert await texts(broker) == ["one", "two"]
    await partition.drain(5)


def _digest(nth: int) -> str:
    from hookline_shared.streams.memory import memory_digest  # noqa: PLC0415

    one = incoming("", key_of(PARTITION, nth))
    return memory_digest(one.account, one.key)
