"""Reading the streams of a partition, and settling what was read."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
import redis

from shared import keys
from shared.broker.append import Appender
from shared.broker.connection import RedisConnectionManager
from shared.broker.consume import NEW, Consumer, DeadLetter, Entry, Settlements
from shared.errors import BrokerUnavailableError, GroupMissingError
from shared.event import Event, decode
from shared.topics import DEFAULT_TOPICS, MESSAGES, STATUSES
from tests.integration.conftest import Connect
from tests.support.events import event, key_of
from tests.support.stored import PARTITIONS, Stored
from tests.support.waiting import until

PARTITION = 2
STREAM = keys.topic(PARTITION, MESSAGES)
TIMEOUT_S = 10.0
PENDING = "0"
WAIT_MS = 10_000


@pytest.fixture
async def consumer(broker: RedisConnectionManager) -> Consumer:
    """Give a consumer whose groups exist."""
    consumer = Consumer(broker, PARTITION, DEFAULT_TOPICS)
    await consumer.ensure_groups()
    return consumer


class Writer:
    """Puts events into the partition's streams."""

    def __init__(self, appender: Appender) -> None:
        self._appender = appender

    async def put(self, number: int, topic: str = MESSAGES) -> list[Event]:
        """Append `number` new events to `topic`."""
        events = [event(key=key_of(PARTITION)) for _ in range(number)]
        await self._appender.append([(topic, one) for one in events], TIMEOUT_S)
        return events


@pytest.fixture
def writer(broker: RedisConnectionManager) -> Writer:
    return Writer(Appender(broker, PARTITIONS, 3600, 1_000_000))


async def read(consumer: Consumer, position: str = NEW, topic: str = MESSAGES, count: int = 100) -> list[Entry]:
    """Read one topic without waiting."""
    found = dict(await consumer.read({topic: position}, count, None))
    return found.get(topic, [])


def events_of(entries: list[Entry]) -> list[Event]:
    return [decode(entry.fields) for entry in entries if entry.fields is not None]


def groups(client: "redis.Redis", stream: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.xinfo_groups(stream)
    return found


async def test_groups_begin_at_the_very_beginning(
    broker: RedisConnectionManager, writer: Writer, redis_client: "redis.Redis"
) -> None:
    """What was written before the first processor ever started is read."""
    events = await writer.put(3)
    consumer = Consumer(broker, PARTITION, DEFAULT_TOPICS)
    await consumer.ensure_groups()
    assert events_of(await read(consumer)) == events
    for topic in DEFAULT_TOPICS:
        assert len(groups(redis_client, keys.topic(PARTITION, topic))) == 1


async def test_making_groups_again_changes_nothing(consumer: Consumer, writer: Writer, stored: Stored) -> None:
    """Every start makes sure of the groups; positions and pending entries stay."""
    await writer.put(2)
    await read(consumer)
    await consumer.ensure_groups()
    assert await read(consumer) == []
    assert len(stored.pending(PARTITION, MESSAGES)) == 2


async def test_new_entries_are_delivered_once(consumer: Consumer, writer: Writer) -> None:
    """Reading from NEW gives each entry once, in order, at most as many as asked for."""
    events = await writer.put(5)
    assert events_of(await read(consumer, count=3)) == events[:3]
    assert events_of(await read(consumer)) == events[3:]
    assert await read(consumer) == []


async def test_pending_entries_are_read_again(consumer: Consumer, writer: Writer, broker: RedisConnectionManager) -> None:
    """What was read and not settled is given to the next owner of the partition, and from any position on."""
    events = await writer.put(4)
    entries = await read(consumer)
    successor = Consumer(broker, PARTITION, DEFAULT_TOPICS)
    assert events_of(await read(successor, PENDING)) == events
    assert events_of(await read(successor, entries[1].id)) == events[2:]
    assert await read(successor, entries[-1].id) == []


async def test_several_topics_at_different_positions(consumer: Consumer, writer: Writer) -> None:
    """One read serves every topic, each from its own position."""
    messages, (status,) = await writer.put(2), await writer.put(1, STATUSES)
    await read(consumer)
    found = dict(await consumer.read({MESSAGES: PENDING, STATUSES: NEW}, 10, None))
    assert events_of(found[MESSAGES]) == messages
    assert events_of(found[STATUSES]) == [status]


async def test_nothing_to_read(consumer: Consumer) -> None:
    """An empty stream gives nothing, whether one waits for it or not."""
    assert await consumer.read({MESSAGES: NEW, STATUSES: NEW}, 10, None) == []
    assert await consumer.read({MESSAGES: NEW, STATUSES: NEW}, 10, 1) == []


async def test_waiting_read_ends_with_the_first_entry(consumer: Consumer, writer: Writer, redis_client: "redis.Redis") -> None:
    """An event is read as soon as it is there, not when the wait is over."""
    reading = asyncio.create_task(consumer.read({MESSAGES: NEW, STATUSES: NEW}, 10, WAIT_MS))
    await until(lambda: redis_client.info("clients")["blocked_clients"] == 1, "the read waits")
    events = await writer.put(1)
    ((topic, entries),) = await reading
    assert (topic, events_of(entries)) == (MESSAGES, events)


async def test_cancelled_wait_loses_nothing(consumer: Consumer, writer: Writer, redis_client: "redis.Redis") -> None:
    """An entry that arrives while a read is given up is new or pending afterwards, and never gone."""
    reading = asyncio.create_task(consumer.read({MESSAGES: NEW}, 10, WAIT_MS))
    await until(lambda: redis_client.info("clients")["blocked_clients"] == 1, "the read waits")
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    events = await writer.put(1)
    assert events_of([*await read(consumer, PENDING), *await read(consumer)]) == events


async def test_missing_group_is_told_apart(broker: RedisConnectionManager, writer: Writer, redis_client: "redis.Redis") -> None:
    """A flushed or failed-over Redis without the group is an error of its own; making the groups again mends it."""
    events = await writer.put(1)
    consumer = Consumer(broker, PARTITION, [MESSAGES])
    for wait in (None, 1):
        with pytest.raises(GroupMissingError, match="lost a consumer group"):
            await consumer.read({MESSAGES: NEW}, 10, wait)
    await consumer.ensure_groups()
    assert events_of(await read(consumer)) == events


async def test_pending_entry_without_a_body(consumer: Consumer, writer: Writer, redis_client: "redis.Redis") -> None:
    """An entry that was deleted while it was pending is told by its missing fields, and can be settled."""
    await writer.put(2)
    gone, kept = await read(consumer)
    redis_client.xdel(STREAM, gone.id)
    assert await read(consumer, PENDING) == [Entry(gone.id, None), kept]
    await consumer.settle(Settlements(done={MESSAGES: [gone.id]}))
    assert await read(consumer, PENDING) == [kept]


async def test_done_leaves_nothing(consumer: Consumer, writer: Writer, stored: Stored, redis_client: "redis.Redis") -> None:
    """A settled event is neither in its stream nor pending nor on record, and the others are untouched."""
    (first, second), (status,) = await writer.put(2), await writer.put(1, STATUSES)
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


async def test_failed_stays_pending_with_its_record(consumer: Consumer, writer: Writer, stored: Stored) -> None:
    """A failed event stays where it is; its record is kept, and replaced by the next failure."""
    first, second = await writer.put(2)
    entries = await read(consumer)
    for record in ("1 failure", '{"failures":2,"error":"ünsafe"}'):
        await consumer.settle(Settlements(failed={first.id: record}))
        assert await consumer.retry_records([first.id, second.id]) == [record.encode(), None]
    assert await read(consumer, PENDING) == entries
    assert await consumer.retry_records([]) == []
    assert len(stored.events()) == 2


async def test_dead_letter_is_the_whole_event(consumer: Consumer, writer: Writer, stored: Stored) -> None:
    """A dead letter holds every field of the event and what was added; the event is gone from its topic."""
    (dead,) = await writer.put(1)
    (entry,) = await read(consumer)
    letter = ["dead.reason", "exhausted", "dead.error", "ValueError: ünsafe"]
    await consumer.settle(Settlements(failed={dead.id: "record"}))
    await consumer.settle(Settlements(recorded=[dead.id], dead=[DeadLetter(MESSAGES, entry.id, letter)]))
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
    await consumer.settle(Settlements(dead=[DeadLetter(MESSAGES, entry.id, ["dead.reason", "undecodable"])]))
    ((_, fields),) = stored.dead_letters(PARTITION)
    assert fields == [*raw, b"dead.reason", b"undecodable"]


async def test_dead_letter_without_a_body(
    consumer: Consumer, writer: Writer, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """An entry whose body is gone can still be dead-lettered, with the reason alone."""
    await writer.put(1)
    (entry,) = await read(consumer)
    redis_client.xdel(STREAM, entry.id)
    await consumer.settle(Settlements(dead=[DeadLetter(MESSAGES, entry.id, ["dead.reason", "lost"])]))
    assert [fields for _, fields in stored.dead_letters(PARTITION)] == [[b"dead.reason", b"lost"]]
    assert stored.pending(PARTITION, MESSAGES) == []


async def test_settling_twice_is_settling_once(consumer: Consumer, writer: Writer, stored: Stored) -> None:
    """Settlements whose confirmation was lost are sent again: nothing changes, and no dead letter is written twice."""
    done, failed, dead = await writer.put(3)
    entries = await read(consumer)
    settlements = Settlements(
        done={MESSAGES: [entries[0].id]},
        recorded=[done.id, dead.id],
        failed={failed.id: "record"},
        dead=[DeadLetter(MESSAGES, entries[2].id, ["dead.reason", "rejected"])],
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


async def test_settling_many(consumer: Consumer, writer: Writer, stored: Stored) -> None:
    """A batch of the largest size is settled in one call."""
    events = await writer.put(1000)
    entries = await read(consumer, count=1000)
    dead = [DeadLetter(MESSAGES, entry.id, ["dead.reason", "x"]) for entry in entries[500:]]
    done = {MESSAGES: [entry.id for entry in entries[:500]]}
    await consumer.settle(Settlements(done=done, recorded=[one.id for one in events], dead=dead))
    assert stored.events() == []
    assert len(stored.dead_letters(PARTITION)) == 500


async def test_settling_after_a_flush(consumer: Consumer, writer: Writer, stored: Stored, redis_client: "redis.Redis") -> None:
    """What was flushed while it was handled is settled once the groups are back, without a dead letter out of nothing."""
    await writer.put(2)
    entries = await read(consumer)
    settlements = Settlements(
        done={MESSAGES: [entries[0].id]}, dead=[DeadLetter(MESSAGES, entries[1].id, ["dead.reason", "rejected"])]
    )
    redis_client.flushall()
    with suppress(BrokerUnavailableError):  # the one error that is documented; who settles knows no other
        await consumer.settle(settlements)
    await consumer.ensure_groups()
    await consumer.settle(settlements)
    assert stored.dead_letters(PARTITION) == []


async def test_partitions_do_not_touch_each_other(connect: Connect, redis_url: str, writer: Writer) -> None:
    """The consumer of one partition neither sees nor needs the streams of another."""
    await writer.put(1)
    other = Consumer(connect(redis_url), PARTITION + 1, DEFAULT_TOPICS)
    await other.ensure_groups()
    assert await other.read(dict.fromkeys(DEFAULT_TOPICS, NEW), 10, None) == []
