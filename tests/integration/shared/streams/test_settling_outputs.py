"""Settling an event with messages: each is in the outbox once, whatever happens in between."""

import pytest
import redis

from hookline_shared.errors import BrokerUnavailableError, FencedError
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import Consumer, Entry
from hookline_shared.streams.outbox import OutboxEntry
from hookline_shared.streams.settlements import Outputs, Settlements
from hookline_shared.topics import DEFAULT_TOPICS, MESSAGES
from tests.integration.conftest import Connect
from tests.support.processor.feed import PARTITION, Feed, claim, read
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.keys import keys
from tests.support.storage.stored import Stored

OUTBOX = "outbox"
STREAM = keys.topic(PARTITION, MESSAGES)
LIFE_MS = 60_000


def message(token: str) -> OutboxEntry:
    return OutboxEntry(token, LIFE_MS, ["v", "1", "body", f"{token} ünsafe"])


def sending(entry: Entry, *tokens: str) -> Settlements:
    """Return the settlement of a done event that sends one message for each of `tokens`."""
    return Settlements(done={MESSAGES: [entry.id]}, outputs=[Outputs(MESSAGES, entry.id, [message(token) for token in tokens])])


def sent(stored: Stored) -> list[bytes]:
    """Return what is in the outbox, in order."""
    return [fields[-1] for _, fields in stored.entries(PARTITION, OUTBOX)]


async def test_messages_are_written_with_their_marks(
    consumer: Consumer, feed: Feed, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """In order, in the partition of the event, which leaves in the same step."""
    await feed.put(1)
    (entry,) = await read(consumer)
    await consumer.settle(sending(entry, "a", "b"))
    assert stored.entries(PARTITION, MESSAGES) == []
    assert stored.pending(PARTITION, MESSAGES) == []
    assert sent(stored) == ["a ünsafe".encode(), "b ünsafe".encode()]
    for token in ("a", "b"):
        mark = keys.sent(PARTITION, token)
        assert redis_client.get(mark) == b"queued"
        assert LIFE_MS - 30_000 < redis_client.pttl(mark) <= LIFE_MS


async def test_repeat_adds_nothing(consumer: Consumer, feed: Feed, stored: Stored, redis_client: "redis.Redis") -> None:
    """The confirmation was lost, so the settlement is sent again: also if the sender has taken the messages out by then."""
    await feed.put(1)
    (entry,) = await read(consumer)
    await consumer.settle(sending(entry, "a", "b"))
    await consumer.settle(sending(entry, "a", "b"))
    assert len(sent(stored)) == 2
    redis_client.xtrim(keys.topic(PARTITION, OUTBOX), maxlen=0)
    redis_client.delete(keys.sent(PARTITION, "a"))
    await consumer.settle(sending(entry, "a", "b"))
    assert sent(stored) == [], "the event is not pending, so even without its mark nothing is sent"


async def test_message_that_has_a_mark_is_not_written(
    consumer: Consumer, feed: Feed, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """The same webhook came twice, as two events: it is answered once. What is new in the second is sent."""
    await feed.put(2)
    first, second = await read(consumer)
    await consumer.settle(sending(first, "a"))
    redis_client.set(keys.sent(PARTITION, "a"), "sent AC1 SM1")
    await consumer.settle(sending(second, "a", "b"))
    assert sent(stored) == ["a ünsafe".encode(), "b ünsafe".encode()]
    assert redis_client.get(keys.sent(PARTITION, "a")) == b"sent AC1 SM1"
    assert stored.entries(PARTITION, MESSAGES) == []


async def test_ledger_has_the_sid_of_a_message_that_was_sent(
    consumer: Consumer, feed: Feed, broker: RedisConnectionManager, stored: Stored
) -> None:
    """Of that one alone, after the attempts."""
    owner = Consumer(broker, PARTITION, DEFAULT_TOPICS, await claim(broker, owner="next", force=True), ledger=True)
    await feed.put(2)
    first, second = await read(owner)
    await owner.settle(Settlements(done={MESSAGES: [first.id, second.id]}, sids={MESSAGES: {second.id: "SM1"}}))
    entries = [fields for _, fields in stored.entries(PARTITION, "ledger")]
    assert [fields[-2:] for fields in entries] == [[b"ledger.attempts", b"1"], [b"ledger.sid", b"SM1"]]
    assert entries[1][-4:-2] == [b"ledger.attempts", b"1"]


async def test_another_owner_sends_nothing(
    consumer: Consumer, feed: Feed, stored: Stored, broker: RedisConnectionManager
) -> None:
    """Whoever lost the partition cannot record messages; the next owner does."""
    await feed.put(1)
    (entry,) = await read(consumer)
    successor = Consumer(broker, PARTITION, DEFAULT_TOPICS, await claim(broker, owner="next", force=True))
    with pytest.raises(FencedError):
        await consumer.settle(sending(entry, "a"))
    assert sent(stored) == []
    await successor.settle(sending(entry, "a"))
    assert len(sent(stored)) == 1


async def test_messages_after_a_flush(
    consumer: Consumer, feed: Feed, stored: Stored, broker: RedisConnectionManager, redis_client: "redis.Redis"
) -> None:
    """The event is gone, and nobody knows whether its messages were sent: they are not sent again."""
    await feed.put(1)
    (entry,) = await read(consumer)
    redis_client.flushall()
    successor = Consumer(broker, PARTITION, DEFAULT_TOPICS, await claim(broker))
    await successor.settle(sending(entry, "a"))
    assert sent(stored) == []


async def test_messages_without_memory(consumer: Consumer, feed: Feed, stored: Stored, redis_client: "redis.Redis") -> None:
    """Settling works: if the event stayed, no memory would come free."""
    await feed.put(1)
    (entry,) = await read(consumer)
    redis_client.config_set("maxmemory", "1")
    try:
        await consumer.settle(sending(entry, "a"))
    finally:
        redis_client.config_set("maxmemory", "0")
    assert len(sent(stored)) == 1
    assert redis_client.exists(keys.sent(PARTITION, "a"))


@pytest.mark.parametrize("command", ["xpending", "xadd", "set", "xack"])
async def test_missing_permission_sends_nothing_twice(connect: Connect, command: str) -> None:
    """Where the Redis user may not do a part of it, settling is an error; repeated until the user may, it sends each once."""
    with RedisServer() as server, server.client as client:
        client.execute_command("ACL", "SETUSER", "processor", "on", ">s3cr3t", "~*", "+@all")
        broker = connect(server.url.replace("redis://", "redis://processor:s3cr3t@"))
        consumer = Consumer(broker, PARTITION, DEFAULT_TOPICS, await claim(broker))
        await consumer.ensure_groups()
        await Feed(broker).put(1)
        (entry,) = await read(consumer)
        client.execute_command("ACL", "SETUSER", "processor", f"-{command}")
        for _ in range(3):
            with pytest.raises(BrokerUnavailableError):
                await consumer.settle(sending(entry, "a", "b"))
        client.execute_command("ACL", "SETUSER", "processor", "+@all")
        await consumer.settle(sending(entry, "a", "b"))
        assert len(sent(Stored(client))) == 2
        assert Stored(client).entries(PARTITION, MESSAGES) == []
