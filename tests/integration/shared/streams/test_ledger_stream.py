"""What settling leaves in the ledger stream, in the same step, and how it is read and removed."""

from collections.abc import Sequence

import pytest
import redis

from hookline_shared.errors import BrokerUnavailableError, FencedError
from hookline_shared.event import decode
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.consume import Consumer
from hookline_shared.streams.ledger import FRONT, LedgerEntry, LedgerStreams
from hookline_shared.streams.settlements import DeadLetterRecord, Settlements
from hookline_shared.topics import DEFAULT_TOPICS, MESSAGES, STATUSES
from tests.support.processor.feed import PARTITION, Feed, claim, read
from tests.support.storage.keys import keys
from tests.support.storage.stored import Stored

LETTER = ["dead.reason", "rejected", "dead.error", "Reject", "dead.message", "ünsafe", "dead.attempts", "2"]


@pytest.fixture
async def consumer(broker: RedisConnectionManager) -> Consumer:
    consumer = Consumer(broker, PARTITION, DEFAULT_TOPICS, await claim(broker), ledger=True)
    await consumer.ensure_groups()
    return consumer


@pytest.fixture
def streams(broker: RedisConnectionManager) -> LedgerStreams:
    return LedgerStreams(broker)


def added(entry: LedgerEntry, fields: Sequence[bytes] | None) -> list[bytes]:
    """Return what `entry` has behind the event's own `fields`."""
    assert fields is not None
    assert list(entry.fields[: len(fields)]) == list(fields)
    return list(entry.fields[len(fields) :])


async def entries_of(streams: LedgerStreams) -> list[LedgerEntry]:
    return await streams.read({PARTITION: FRONT}, 1000)


async def test_done_events_go_to_the_ledger(consumer: Consumer, feed: Feed, stored: Stored, streams: LedgerStreams) -> None:
    """Whatever leaves its topic is in the ledger stream, field by field, with its outcome, topic and attempts."""
    first, second = await feed.put(2)
    await feed.put(1, STATUSES)
    entries, statuses = await read(consumer), await read(consumer, topic=STATUSES)
    done = {MESSAGES: [entries[0].id, entries[1].id], STATUSES: [statuses[0].id]}
    await consumer.settle(Settlements(done=done, attempts={MESSAGES: {entries[1].id: 3}}))
    kept = await entries_of(streams)
    assert [decode(entry.fields) for entry in kept[:2]] == [first, second]
    outcome = [b"ledger.outcome", b"done", b"ledger.topic"]
    assert added(kept[0], entries[0].fields) == [*outcome, b"messages", b"ledger.attempts", b"1"]
    assert added(kept[1], entries[1].fields) == [*outcome, b"messages", b"ledger.attempts", b"3"]
    assert added(kept[2], statuses[0].fields) == [*outcome, b"statuses", b"ledger.attempts", b"1"]
    assert stored.events() == []


async def test_dead_letters_go_to_the_ledger_too(
    consumer: Consumer, feed: Feed, stored: Stored, streams: LedgerStreams
) -> None:
    """A dead letter stands in the ledger with all that the letter says; the letter itself is what it is without a ledger."""
    await feed.put(1)
    (entry,) = await read(consumer)
    await consumer.settle(Settlements(dead=[DeadLetterRecord(MESSAGES, entry.id, LETTER)]))
    (kept,) = await entries_of(streams)
    letter = [word.encode() for word in LETTER]
    assert added(kept, entry.fields) == [*letter, b"ledger.outcome", b"dead"]
    assert [fields for _, fields in stored.dead_letters(PARTITION)] == [[*(entry.fields or ()), *letter]]


async def test_failures_are_no_history_yet(consumer: Consumer, feed: Feed, streams: LedgerStreams) -> None:
    """An event that will be attempted again is not in the ledger."""
    (failed,) = await feed.put(1)
    await read(consumer)
    await consumer.settle(Settlements(failed={failed.id: "record"}))
    assert await entries_of(streams) == []


async def test_settling_again_writes_nothing_again(consumer: Consumer, feed: Feed, streams: LedgerStreams) -> None:
    """Settlements whose confirmation was lost are sent again, and leave nothing a second time."""
    await feed.put(2)
    entries = await read(consumer)
    settlements = Settlements(done={MESSAGES: [entries[0].id]}, dead=[DeadLetterRecord(MESSAGES, entries[1].id, LETTER)])
    for _ in range(2):
        await consumer.settle(settlements)
        assert len(await entries_of(streams)) == 2


async def test_body_that_is_gone_is_no_history(
    consumer: Consumer, feed: Feed, streams: LedgerStreams, redis_client: "redis.Redis"
) -> None:
    """Of an entry that was deleted by hand there is nothing to tell."""
    await feed.put(1)
    (entry,) = await read(consumer)
    redis_client.xdel(keys.topic(PARTITION, MESSAGES), entry.id)
    await consumer.settle(Settlements(done={MESSAGES: [entry.id]}))
    assert await entries_of(streams) == []


async def test_former_owner_writes_no_history(
    consumer: Consumer, feed: Feed, streams: LedgerStreams, broker: RedisConnectionManager
) -> None:
    """A settlement that is refused leaves nothing in the ledger either."""
    await feed.put(1)
    (entry,) = await read(consumer)
    await claim(broker, owner="another", force=True)
    with pytest.raises(FencedError):
        await consumer.settle(Settlements(done={MESSAGES: [entry.id]}))
    assert await entries_of(streams) == []


async def test_without_memory_settling_goes_on(
    consumer: Consumer, feed: Feed, streams: LedgerStreams, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """Redis without memory still lets events move to the ledger: else nothing would ever free any."""
    await feed.put(3)
    entries = await read(consumer)
    redis_client.config_set("maxmemory", "1")
    try:
        await consumer.settle(Settlements(done={MESSAGES: [entry.id for entry in entries]}))
    finally:
        redis_client.config_set("maxmemory", "0")
    assert len(await entries_of(streams)) == 3
    assert stored.events() == []


async def test_what_the_ledger_does_not_take_stays(
    consumer: Consumer, feed: Feed, stored: Stored, redis_client: "redis.Redis"
) -> None:
    """Where the ledger's key is something else, nothing is settled without its record, until that is fixed."""
    events = await feed.put(2)
    entries = await read(consumer)
    redis_client.set(keys.ledger(PARTITION), "no stream")
    settlements = Settlements(done={MESSAGES: [entry.id for entry in entries]})
    with pytest.raises(BrokerUnavailableError):
        await consumer.settle(settlements)
    assert stored.events() == events
    redis_client.delete(keys.ledger(PARTITION))
    await consumer.settle(settlements)
    assert redis_client.xlen(keys.ledger(PARTITION)) == 2


async def test_without_a_ledger_there_is_none(broker: RedisConnectionManager, feed: Feed, redis_client: "redis.Redis") -> None:
    """Whoever has no database has no ledger stream."""
    consumer = Consumer(broker, PARTITION, DEFAULT_TOPICS, await claim(broker))
    await consumer.ensure_groups()
    await feed.put(2)
    entries = await read(consumer)
    await consumer.settle(
        Settlements(done={MESSAGES: [entries[0].id]}, dead=[DeadLetterRecord(MESSAGES, entries[1].id, LETTER)])
    )
    assert not redis_client.exists(keys.ledger(PARTITION))


async def test_reading_and_removing(consumer: Consumer, feed: Feed, streams: LedgerStreams) -> None:
    """Entries are read from the front, or behind one that is left there, and are there until they are removed by name."""
    await feed.put(5)
    await consumer.settle(Settlements(done={MESSAGES: [entry.id for entry in await read(consumer)]}))
    first, *_ = kept = await entries_of(streams)
    assert await streams.read({PARTITION: FRONT, PARTITION + 1: FRONT}, 2) == kept[:2]
    assert await streams.read({PARTITION: first.id}, 2) == kept[1:3]
    for _ in range(2):
        await streams.remove(kept[1:3])
        assert await entries_of(streams) == [first, *kept[3:]]
    assert await streams.lengths([PARTITION, PARTITION + 1]) == {PARTITION: 3, PARTITION + 1: 0}


async def test_nothing_to_do(streams: LedgerStreams) -> None:
    """Whoever owns no partition reads, removes and counts nothing."""
    assert await streams.read({}, 10) == []
    assert await streams.lengths([]) == {}
    await streams.remove([])
