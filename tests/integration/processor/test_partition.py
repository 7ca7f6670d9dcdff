"""One partition, from Redis to the handlers and back."""

from collections.abc import AsyncIterator
from typing import Final

import pytest
import redis

from hookline_processor.partition.lanes import MAX_LOADED
from hookline_processor.retry_record import Record, decode_record, encode_record
from hookline_shared.clock import SystemClock
from hookline_shared.event import BODY_FIELD, TEXT_FIELDS, Event, text_values
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.redis_keys import GROUP
from hookline_shared.streams.consume import CONSUMER
from hookline_shared.streams.settlements import record_name
from hookline_shared.topics import MESSAGES, STATUSES
from tests.support.observability.logbook import Logbook
from tests.support.processor.events import event, key_of
from tests.support.processor.feed import PARTITION
from tests.support.processor.partition_bench import WINDOW, Bench
from tests.support.storage.keys import keys
from tests.support.storage.stored import Stored
from tests.support.waiting import until

_ADD_AND_READ: Final = """
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 3))
return redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'STREAMS', KEYS[1], '>')
"""
"""Makes an entry pending before the reader can see it."""


@pytest.fixture
async def bench(broker: RedisConnectionManager, logbook: Logbook) -> AsyncIterator[Bench]:
    """Yield a partition, not yet started."""
    bench = Bench(broker, logbook)
    yield bench
    await bench.close()


def ids(events: list[Event]) -> list[str]:
    return [one.id for one in events]


async def test_long_conversation_is_handled_in_order(bench: Bench, stored: Stored) -> None:
    """Most of it is known by ids alone at first; every event is handled once, in its turn."""
    events = await bench.put(10 * WINDOW)
    partition = await bench.start()
    await until(lambda: stored.events() == [], "all are settled")
    assert bench.begun == ids(events)
    await partition.drain(5)


async def test_long_conversation_leaves_room_for_others(bench: Bench, stored: Stored) -> None:
    """Though it has more events than fit into memory, and its first one is still being handled, others are read and handled."""
    bench.open.clear()
    flood = await bench.put(3 * WINDOW)
    (other,) = await bench.put(1, nth_key=1)
    partition = await bench.start()
    await until(lambda: other.id in bench.begun, "the other conversation has its turn")
    assert bench.begun == [flood[0].id, other.id]
    bench.open.set()
    await until(lambda: stored.events() == [], "all are settled")
    assert [one for one in bench.begun if one != other.id] == ids(flood)
    await partition.drain(5)


async def test_events_of_an_unordered_topic_run_side_by_side(bench: Bench, stored: Stored) -> None:
    """Although they are of one conversation."""
    bench.open.clear()
    events = await bench.put(5, STATUSES)
    partition = await bench.start()
    await until(lambda: len(bench.begun) == 5, "all are being handled")
    bench.open.set()
    await until(lambda: stored.events() == [], "all are settled")
    assert sorted(bench.begun) == sorted(ids(events))
    await partition.drain(5)


async def test_event_that_is_gone_before_its_turn(
    bench: Bench, stored: Stored, redis_client: "redis.Redis", logbook: Logbook
) -> None:
    """Somebody deleted it while it was known by its id alone: it is reported and settled, and those behind it go on."""
    bench.open.clear()
    events = await bench.put(3 * MAX_LOADED)
    partition = await bench.start()
    stream = keys.topic(PARTITION, MESSAGES)
    await until(lambda: bench.begun != [], "the group exists")
    await until(lambda: len(stored.pending(PARTITION, MESSAGES)) == len(events), "all are read")
    gone = stored.entries(PARTITION, MESSAGES)[2 * MAX_LOADED][0]
    redis_client.xdel(stream, gone)
    bench.open.set()
    await until(lambda: stored.pending(PARTITION, MESSAGES) == [], "all are settled")
    expected = ids(events)
    del expected[2 * MAX_LOADED]
    assert bench.begun == expected
    assert logbook.find("body of a pending entry is gone") is not None
    await partition.drain(5)


async def test_what_was_pending_is_on_record_while_it_is_attempted(bench: Bench, stored: Stored) -> None:
    """So that a death in the middle of it counts; withdrawn, as at a shutdown, it is no death."""
    (pending,) = await bench.put(1)
    bench.open.clear()
    partition = await bench.start()
    await until(lambda: bench.begun == [pending.id], "it is being handled")
    assert stored.retry_records(PARTITION) == {}, "nothing was pending yet"
    await partition.drain(0)
    assert one_record(stored) == Record(cut=1, interrupted=True)

    partition = await bench.start()
    await until(lambda: len(bench.begun) == 2, "it is being handled again")
    assert one_record(stored) == Record(begun=1, cut=1, interrupted=True)
    await partition.drain(0)
    assert one_record(stored) == Record(cut=2, interrupted=True)

    bench.open.set()
    partition = await bench.start()
    await until(lambda: stored.events() == [], "it is settled")
    assert stored.retry_records(PARTITION) == {}
    await partition.drain(5)


def one_record(stored: Stored) -> Record:
    (record,) = stored.retry_records(PARTITION).values()
    return decode_record(record)


async def test_stop_that_comes_during_an_attempt_again_and_again(bench: Bench, stored: Stored, logbook: Logbook) -> None:
    """Each is told with the event, and the next run knows of it; after many in a row the event is a dead letter."""
    (pending,) = await bench.put(1)
    bench.open.clear()
    for number in range(1, 6):
        partition = await bench.start()
        await until(lambda number=number: len(bench.begun) == number, "it is being handled")  # type: ignore[misc]
        await partition.drain(0)
        assert one_record(stored).cut == number
    cut = [line for line in logbook.lines if line["event"] == "handler cut short"]
    assert [(line["event_id"], line["kind"], line["attempt"]) for line in cut] == [(pending.id, "message.received", 1)] * 5
    assert all(line["seconds"] >= 0 and line["reason"] and line["remedy"] for line in cut)
    assert bench.interrupted == [False, True, True, True, True]
    partition = await bench.start()
    await until(lambda: stored.events() == [], "it is settled")
    assert len(bench.begun) == 5
    (letter,) = stored.dead_letters(PARTITION)
    assert b"ProcessStopped" in letter[1]
    assert stored.retry_records(PARTITION) == {}
    await partition.drain(5)


async def test_failure_after_a_crash(bench: Bench, stored: Stored) -> None:
    """Every run after it is told, though the event waits in Redis between them."""
    bench.open.clear()
    await bench.put(1)
    partition = await bench.start()
    await until(lambda: len(bench.begun) == 1, "it is being handled")
    await partition.abandon()  # which writes nothing
    bench.failing = True
    partition = await bench.start()
    await until(lambda: len(bench.begun) == 2, "it fails")
    bench.failing = False
    bench.open.set()
    await until(lambda: stored.events() == [], "it is settled")
    assert bench.interrupted == [False, True, True]
    assert stored.retry_records(PARTITION) == {}
    await partition.drain(5)


async def test_wait_after_a_crash(bench: Bench, stored: Stored, redis_client: "redis.Redis") -> None:
    """The run after it is told, though the event first had to wait in Redis."""
    bench.open.clear()
    await bench.put(1)
    partition = await bench.start()
    await until(lambda: len(bench.begun) == 1, "it is being handled")
    await partition.abandon()
    ((entry_id, _),) = stored.entries(PARTITION, MESSAGES)
    waiting = Record(next_at=SystemClock().now_ms() + 300)
    redis_client.hset(keys.retries(PARTITION), record_name(MESSAGES, entry_id), encode_record(waiting))
    bench.open.set()
    partition = await bench.start()
    await until(lambda: stored.events() == [], "it is settled")
    assert bench.interrupted == [False, True]
    assert stored.retry_records(PARTITION) == {}
    await partition.drain(5)


async def test_handler_that_outlives_the_shutdown_is_not_suspected(
    bench: Bench, stored: Stored, redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it ignores its cancellation: no graceful stop is taken for a death."""
    monkeypatch.setattr("hookline_processor.partition.execution._CANCEL_TIMEOUT_S", 0.01)
    bench.stubborn = True
    bench.open.clear()
    (pending,) = await bench.put(1)
    for _ in range(4):
        partition = await bench.start()
        await until(lambda: bench.begun == [pending.id], "it is being handled")
        await partition.drain(0)
        assert one_record(stored).begun == 0
        bench.begun.clear()
    bench.open.set()


async def test_events_wait_while_what_they_need_is_away(bench: Bench, stored: Stored, logbook: Logbook) -> None:
    """After some failures the others are not attempted, but for a probe now and then; once it is back all are settled."""
    bench.failing = True
    events = [(await bench.put(1, nth_key=number))[0] for number in range(20)]
    partition = await bench.start()
    await until(lambda: logbook.find("breaker changed") is not None, "the breaker opens")
    attempted = len(bench.begun)
    await until(lambda: len(bench.begun) > attempted, "an event is the probe")
    assert len(set(bench.begun)) < len(events), "most wait"
    bench.failing = False
    await until(lambda: stored.events() == [], "all are settled")
    assert set(bench.begun) == set(ids(events))
    assert stored.dead_letters(PARTITION) == []
    assert stored.retry_records(PARTITION) == {}
    await partition.drain(5)


async def test_entries_pending_under_nobody_are_found(
    bench: Bench, stored: Stored, redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a failover to a replica that lacked something: what is pending and not known here is read now and then."""
    monkeypatch.setattr("hookline_processor.partition.reader._SWEEP_INTERVAL_S", 0)
    partition = await bench.start()
    (first,) = await bench.put(1)
    await until(lambda: bench.begun == [first.id], "it reads")
    (second,) = await bench.put(1, STATUSES)
    await until(lambda: len(bench.begun) == 2, "it reads all topics")
    lost = event(key=key_of(PARTITION))
    fields = [word for pair in zip(TEXT_FIELDS, text_values(lost), strict=True) for word in pair]
    stream = keys.topic(PARTITION, MESSAGES)
    redis_client.execute_command("EVAL", _ADD_AND_READ, 1, stream, GROUP, CONSUMER, *fields, BODY_FIELD, lost.body)
    await until(lambda: stored.events() == [], "all are settled")
    assert set(bench.begun) == {first.id, second.id, lost.id}
    await partition.drain(5)
