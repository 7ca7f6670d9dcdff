"""Settling what was read: done, failed for now, or dead, each exactly once."""

import pytest
import redis

from hookline_shared.errors import BrokerUnavailableError, FencedError, WritesRefusedError
from hookline_shared.event import decode
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import Consumer
from hookline_shared.streams.settlements import DeadLetterRecord, Settlements
from hookline_shared.topics import DEFAULT_TOPICS, MESSAGES, STATUSES
from tests.integration.conftest import Connect
from tests.support.processor.feed import PARTITION, PENDING, Feed, claim, read
from tests.support.servers.redis_server import RedisServer
from tests.support.storage.keys import keys
from tests.support.storage.stored import Stored

STREAM = keys.topic(PARTITION, MESSAGES)


async def test_done_leaves_nothing(consumer: Consumer, feed: Feed, stored: Stored, redis_client: "redis.Redis") -> None:
    """A settled event is neither in its stream nor pending nor on record, and the others are untouched."""
    (first, second), (status,) = await feed.put(2), await feed.put(1, STATUSES)
    entries, statuses = await read(consumer), await read(consumer, topic=STATUSES)
    await consumer.settle(Settlements(failed={first.id: "record 1", second.id: "record 2"}))
    done = {MESSAGES: [entries[0].id], STATUSES: [statuses[0].id]}
    await consumer.settle(Settlements(done=done, recorded=[first.id]))
    assert stored.events() == [second]
    assert stored.pending(PARTITION, MESSAGES) == [entries[1].id]
    assert stored.pending(PARTITION, STATUSES) == []
    assert stored.retry_records(PARTITION) == {second.id: b"record 2"}
    assert redis_client.xlen(keys.dead(PARTITION)) == 0
    assert status.kind == "message.received"


async def test_failed_stays_pending_with_its_record(consumer: Consumer, feed: Feed, stored: Stored) -> None:
    """A failed event stays where it is; its record is kept, and replaced by the next failure."""
    first, second = await feed.put(2)
    entries = await read(consumer)
    for record in ("1 failure", '{"failures":2,"error":"ünsafe"}'):
        await consumer.settle(Settlements(failed={first.id: record}))
        assert await consumer.retry_records([first.id, second.id]) == [record.encode(), None]
    assert await read(consumer, PENDING) == entries
    assert await consumer.retry_records([]) == []
    assert len(stored.events()) == 2


async def test_dead_letter_is_the_whole_event(consumer: Consumer, feed: Feed, stored: Stored) -> None:
    """A dead letter holds every field of the event and what was added; the event is gone from its topic."""
    (dead,) = await feed.put(1)
    (entry,) = await read(consumer)
    letter = ["dead.reason", "exhausted", "dead.error", "ValueError: ünsafe"]
    await consumer.settle(Settlements(failed={dead.id: "record"}))
    await consumer.settle(Settlements(recorded=[dead.id], dead=[DeadLetterRecord(MESSAGES, entry.id, letter)]))
    ((_, fields),) = stored.dead_letters(PARTITION)
    assert entry.fields is not None
    assert fields == [*entry.fields, *(word.encode() for word in letter)]
    assert decode(fields) == dead
    assert stored.events() == []
    assert stored.pending(PARTITION, MESSAGES) == []
    assert stored.retry_records(PARTITION) == {}


async def test_dead_letter_copies_an_undecodable_entry_raw(
    consumer: Consumer, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """An entry that is no event keeps all its fields, in order, byte for byte, repeated ones too."""
    raw = [b"v", b"99", b"\xff\xfe", b"\x00binary\xff", b"again", b"1", b"again", b"2", b"", b""]
    redis_client.execute_command("XADD", STREAM, "*", *raw)
    (entry,) = await read(consumer)
    assert entry.fields == raw
    await consumer.settle(Settlements(dead=[DeadLetterRecord(MESSAGES, entry.id, ["dead.reason", "undecodable"])]))
    ((_, fields),) = stored.dead_letters(PARTITION)
    assert fields == [*raw, b"dead.reason", b"undecodable"]


async def test_dead_letter_without_a_body(consumer: Consumer, feed: Feed, stored: Stored, redis_client: "redis.Redis") -> None:
    """An entry whose body is gone can still be dead-lettered, with the reason alone."""
    await feed.put(1)
    (entry,) = await read(consumer)
    redis_client.xdel(STREAM, entry.id)
    await consumer.settle(Settlements(dead=[DeadLetterRecord(MESSAGES, entry.id, ["dead.reason", "lost"])]))
    assert [fields for _, fields in stored.dead_letters(PARTITION)] == [[b"dead.reason", b"lost"]]
    assert stored.pending(PARTITION, MESSAGES) == []


async def test_settling_twice_is_settling_once(consumer: Consumer, feed: Feed, stored: Stored) -> None:
    """Settlements whose confirmation was lost are sent again: nothing changes, and no dead letter is written twice."""
    done, failed, dead = await feed.put(3)
    entries = await read(consumer)
    settlements = Settlements(
        done={MESSAGES: [entries[0].id]},
        recorded=[done.id, dead.id],
        failed={failed.id: "record"},
        dead=[DeadLetterRecord(MESSAGES, entries[2].id, ["dead.reason", "rejected"])],
    )
    for _ in range(2):
        await consumer.settle(settlements)
        assert stored.events() == [failed]
        assert stored.pending(PARTITION, MESSAGES) == [entries[1].id]
        assert stored.retry_records(PARTITION) == {failed.id: b"record"}
        assert len(stored.dead_letters(PARTITION)) == 1


async def test_settling_nothing(consumer: Consumer, stored: Stored) -> None:
    """No settlements are no error."""
    await consumer.settle(Settlements())
    assert stored.dead_letters(PARTITION) == []


async def test_settling_many(consumer: Consumer, feed: Feed, stored: Stored) -> None:
    """A batch of the largest size is settled in one call."""
    events = await feed.put(1000)
    entries = await read(consumer, count=1000)
    dead = [DeadLetterRecord(MESSAGES, entry.id, ["dead.reason", "x"]) for entry in entries[500:]]
    done = {MESSAGES: [entry.id for entry in entries[:500]]}
    await consumer.settle(Settlements(done=done, recorded=[one.id for one in events], dead=dead))
    assert stored.events() == []
    assert len(stored.dead_letters(PARTITION)) == 500


async def test_settling_after_a_flush(
    consumer: Consumer, feed: Feed, stored: Stored, broker: RedisConnectionManager, redis_client: "redis.Redis"
) -> None:
    """The lease is gone with all else, so what was flushed cannot be settled; the next owner makes no letters of nothing."""
    await feed.put(2)
    entries = await read(consumer)
    settlements = Settlements(
        done={MESSAGES: [entries[0].id]}, dead=[DeadLetterRecord(MESSAGES, entries[1].id, ["dead.reason", "rejected"])]
    )
    redis_client.flushall()
    with pytest.raises(FencedError):
        await consumer.settle(settlements)
    successor = Consumer(broker, PARTITION, DEFAULT_TOPICS, await claim(broker))
    await successor.ensure_groups()
    await successor.settle(settlements)
    assert stored.dead_letters(PARTITION) == []


async def test_refusal_for_the_state_of_the_server(consumer: Consumer, feed: Feed, redis_client: "redis.Redis") -> None:
    """A server that takes no writes for now is no different from one that is away, on any version: try again later."""
    (failed,) = await feed.put(1)
    redis_client.config_set("min-replicas-to-write", "1")
    try:
        with pytest.raises(BrokerUnavailableError) as caught:
            await consumer.settle(Settlements(failed={failed.id: "record"}))
    finally:
        redis_client.config_set("min-replicas-to-write", "0")
    assert caught.type is WritesRefusedError
    await consumer.settle(Settlements(failed={failed.id: "record"}))
    assert await consumer.retry_records([failed.id]) == [b"record"]


async def test_settling_without_memory(
    consumer: Consumer, feed: Feed, stored: Stored, broker: RedisConnectionManager, redis_client: "redis.Redis"
) -> None:
    """It is how memory comes free, whatever it is that comes first; and so are the lease and the groups before it."""
    await feed.put(3)
    failed, dead, done = await read(consumer)
    redis_client.config_set("maxmemory", "1")
    try:
        successor = Consumer(broker, PARTITION, DEFAULT_TOPICS, await claim(broker))
        await successor.ensure_groups()
        await successor.settle(Settlements(failed={failed.id: "record"}))
        await successor.settle(Settlements(dead=[DeadLetterRecord(MESSAGES, dead.id, ["dead.reason", "rejected"])]))
        await successor.settle(Settlements(done={MESSAGES: [done.id]}))
    finally:
        redis_client.config_set("maxmemory", "0")
    assert stored.pending(PARTITION, MESSAGES) == [failed.id]
    assert len(stored.dead_letters(PARTITION)) == 1
    assert await successor.retry_records([failed.id]) == [b"record"]


@pytest.mark.parametrize("command", ["xpending", "xrange", "xadd", "xack"])
async def test_missing_permission_loses_no_dead_letter(connect: Connect, command: str) -> None:
    """Where the Redis user may not do a part of it, settling is an error and the event stays, until the user may."""
    with RedisServer() as server, server.client as client:
        client.execute_command("ACL", "SETUSER", "processor", "on", ">s3cr3t", "~*", "+@all")
        broker = connect(server.url.replace("redis://", "redis://processor:s3cr3t@"))
        consumer = Consumer(broker, PARTITION, DEFAULT_TOPICS, await claim(broker))
        await consumer.ensure_groups()
        (dead,) = await Feed(broker).put(1)
        (entry,) = await read(consumer)
        settlements = Settlements(dead=[DeadLetterRecord(MESSAGES, entry.id, ["dead.reason", "rejected"])])
        client.execute_command("ACL", "SETUSER", "processor", f"-{command}")
        with pytest.raises(BrokerUnavailableError):
            await consumer.settle(settlements)
        client.execute_command("ACL", "SETUSER", "processor", "+@all")
        await consumer.settle(settlements)
        letters = [decode(fields) for _, fields in Stored(client).dead_letters(PARTITION)]
        assert {letter.id for letter in letters} == {dead.id}
        assert Stored(client).events() == []
