"""What operators do to waiting lanes: each step alone, and besides an owner of the partition."""

import json

import pytest
import redis

from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.streams.append import Appended, Appender
from hookline_shared.streams.consume import Consumer
from hookline_shared.streams.counts import count_waiting
from hookline_shared.streams.follow import StreamPosition
from hookline_shared.streams.locate import Stage, locate
from hookline_shared.streams.ownership.lease import Fence
from hookline_shared.streams.settlements import LeavingEntry, Settlements, WaitingLane, record_name
from hookline_shared.streams.waiting.control import Dropped, LaneSet, RetriedNow, WaitingControl
from hookline_shared.streams.waiting.index import LATER, LoadRequest, ResumeRequest, WaitingIndex, lane_id
from hookline_shared.topics import CALLS, MESSAGES
from tests.support.processor.events import event, key_of
from tests.support.processor.feed import PARTITION, Feed, read
from tests.support.processor.waiting_lanes import put_waiting
from tests.support.storage.keys import keys
from tests.support.storage.stored import PARTITIONS, Stored

FAR_MS = 4_000_000_000_000
KEY, OTHER = key_of(PARTITION), key_of(PARTITION, 1)
LANE = lane_id(MESSAGES, KEY)
CONDITIONS = ("", LATER, "breaker:crm", "pause:1234", "kind:call.status")


@pytest.fixture
def control(broker: RedisConnectionManager) -> WaitingControl:
    return WaitingControl(broker, PARTITIONS)


@pytest.fixture
async def index(broker: RedisConnectionManager, consumer: Consumer) -> WaitingIndex:
    """Return the index as the owner has it. The consumer's own lease is of the same owner."""
    owner, term = await broker.execute("hmget", keys.lease(PARTITION), "HMGET", keys.lease(PARTITION), "owner", "term")
    return WaitingIndex(broker, PARTITION, Fence(owner.decode(), int(term)))


async def resume(index: WaitingIndex, due_ms: float, condition: str = "") -> list[str]:
    """Resume what is due at `due_ms`; return the entry ids."""
    (answer,) = await index.resume([ResumeRequest(MESSAGES, condition, due_ms, float("inf"), 100)], 1_000_000)
    return [lane.first.id for lane in answer.lanes]


async def test_many_conditions_cost_little(control: WaitingControl, redis_client: "redis.Redis") -> None:
    """However many pauses, breakers and kinds lanes wait for, Redis looks at few of them for each lane."""
    names, lanes = [f"kind:{number}" for number in range(100)], [f"lane{number}" for number in range(50)]
    for condition in [*names, "breaker:crm"]:
        redis_client.sadd(keys.conditions(PARTITION), f"{MESSAGES}:{condition}")
        redis_client.zadd(keys.waiting(PARTITION, MESSAGES, condition), {f"lane of {condition}": 1})
    redis_client.zadd(keys.waiting(PARTITION, MESSAGES, "breaker:crm"), dict.fromkeys(lanes, 1))
    redis_client.config_resetstat()
    assert await control.retry_now(PARTITION, MESSAGES, lanes) == [RetriedNow.DUE] * 50
    calls: dict[str, dict[str, int]] = redis_client.info("commandstats")
    assert calls["cmdstat_zscore"]["calls"] <= 2 * len(lanes) + len(names)
    assert calls["cmdstat_smembers"]["calls"] == 1


async def test_sets_are_counted_with_their_times(
    broker: RedisConnectionManager, consumer: Consumer, control: WaitingControl
) -> None:
    """Lanes are counted by what they wait for, with the earliest and the latest time; events behind them are not."""
    await put_waiting(broker, consumer, KEY, 3, time_ms=FAR_MS)
    await put_waiting(broker, consumer, OTHER, time_ms=FAR_MS + 5)
    await put_waiting(broker, consumer, KEY, 1, "breaker:crm", FAR_MS, topic=CALLS)
    found = await control.sets([MESSAGES])
    assert found == [
        LaneSet(PARTITION, MESSAGES, "", 2, FAR_MS, FAR_MS + 5),
        LaneSet(PARTITION, CALLS, "breaker:crm", 1, FAR_MS, FAR_MS),
    ]
    assert [one.reason for one in found] == ["time", "breaker:crm"]
    assert await count_waiting(broker, PARTITIONS, [MESSAGES]) == {MESSAGES: 2, CALLS: 1}


async def test_lanes_are_described(broker: RedisConnectionManager, consumer: Consumer, control: WaitingControl) -> None:
    """Every page names lanes, and each lane its first event and how many are behind it."""
    entries = await put_waiting(broker, consumer, KEY, 3)
    (found,) = await control.sets([MESSAGES])
    (page,) = [page async for page in control.lanes(found)]
    (described,) = await control.describe(PARTITION, MESSAGES, page)
    assert (described.lane, described.entry, described.key, described.behind) == (LANE, entries[0], KEY, 2)
    assert described.kind == "message.received"
    assert (await control.describe(PARTITION, MESSAGES, ["unknown"]))[0].entry == ""


@pytest.mark.parametrize("condition", CONDITIONS)
async def test_retry_now(
    broker: RedisConnectionManager, consumer: Consumer, control: WaitingControl, index: WaitingIndex, condition: str
) -> None:
    """A lane is due at once, whatever it waited for, except for a pause."""
    entries = await put_waiting(broker, consumer, KEY, 3, condition)
    paused = condition.startswith("pause")
    assert await control.retry_now(PARTITION, MESSAGES, [LANE, "unknown"]) == [
        RetriedNow.PAUSED if paused else RetriedNow.DUE,
        RetriedNow.NOT_WAITING,
    ]
    assert sum(one.lanes for one in await control.sets([MESSAGES])) == 1, "it is in one set"
    assert await resume(index, 1) == ([] if paused else entries[:1])


async def test_retry_now_leaves_a_resumed_lane(
    broker: RedisConnectionManager, consumer: Consumer, control: WaitingControl, index: WaitingIndex
) -> None:
    """What the owner has in memory does not wait, and does not come to wait."""
    await put_waiting(broker, consumer, KEY, 2)
    await resume(index, FAR_MS)
    assert await control.retry_now(PARTITION, MESSAGES, [LANE]) == [RetriedNow.NOT_WAITING]
    assert await control.sets([MESSAGES]) == []


@pytest.mark.parametrize("condition", CONDITIONS)
async def test_drop(
    broker: RedisConnectionManager,
    consumer: Consumer,
    control: WaitingControl,
    index: WaitingIndex,
    stored: Stored,
    condition: str,
) -> None:
    """The event is a dead letter with who and why, attempts and first failure; the next one of its lane is due at once."""
    entries = await put_waiting(broker, consumer, KEY, 2, condition)
    record = json.dumps({"failures": 3, "first_failed_at": 1_750_000_000_123})
    await consumer.settle(Settlements(failed={record_name(MESSAGES, entries[0]): record}))
    dropped = await control.drop(PARTITION, MESSAGES, [(LANE, entries[0])], "by me: wrong", ledger=False)
    assert dropped == [Dropped.DONE]
    ((_, fields),) = stored.dead_letters(PARTITION)
    letter = dict(zip(fields[::2], fields[1::2], strict=True))
    assert letter[b"dead.reason"] == b"dropped"
    assert letter[b"dead.message"] == b"by me: wrong"
    assert (letter[b"dead.attempts"], letter[b"dead.first_at"]) == (b"3", b"1750000000123")
    assert (letter[b"dead.topic"], letter[b"dead.entry"]) == (MESSAGES.encode(), entries[0].encode())
    assert stored.pending(PARTITION, MESSAGES) == entries[1:]
    assert [entry for entry, _ in stored.entries(PARTITION, MESSAGES)] == entries[1:]
    assert stored.retry_records(PARTITION) == {}
    assert await resume(index, 1) == entries[1:]


async def test_drop_of_the_only_event(
    broker: RedisConnectionManager, consumer: Consumer, control: WaitingControl, redis_client: "redis.Redis"
) -> None:
    """Nothing of its lane is left in the index."""
    (entry,) = await put_waiting(broker, consumer, KEY)
    assert await control.drop(PARTITION, MESSAGES, [(LANE, "")], "", ledger=False) == [Dropped.DONE]
    assert await control.drop(PARTITION, MESSAGES, [(LANE, entry)], "", ledger=False) == [Dropped.GONE]
    left = map(str, redis_client.keys(f"{keys.space(PARTITION)}*"))
    assert not [key for key in left if any(name in key for name in ("waiting", "lanes", "behind", "resumed"))]


async def test_drop_of_one_that_waits_behind_another(
    broker: RedisConnectionManager, consumer: Consumer, control: WaitingControl, index: WaitingIndex
) -> None:
    """The lane waits as before, without the event."""
    entries = await put_waiting(broker, consumer, KEY, 3)
    assert await control.drop(PARTITION, MESSAGES, [(LANE, entries[1])], "", ledger=False) == [Dropped.DONE]
    assert await resume(index, 1) == []
    assert await resume(index, FAR_MS) == entries[:1]
    (described,) = await control.describe(PARTITION, MESSAGES, [LANE])
    assert described.behind == 1


async def test_drop_leaves_what_is_in_memory(
    broker: RedisConnectionManager,
    consumer: Consumer,
    control: WaitingControl,
    index: WaitingIndex,
    feed: Feed,
    stored: Stored,
) -> None:
    """An event that is, or may be, in its handler is not dropped, nor one that was read since its lane came to wait."""
    entries = await put_waiting(broker, consumer, KEY, 2)
    await feed.put(1)
    (later,) = await read(consumer)
    assert await control.drop(PARTITION, MESSAGES, [(LANE, later.id)], "", ledger=False) == [Dropped.IN_MEMORY]
    await resume(index, FAR_MS)
    both = [(LANE, entries[0]), (LANE, entries[1])]
    assert await control.drop(PARTITION, MESSAGES, both, "", ledger=False) == [Dropped.IN_MEMORY] * 2
    assert stored.dead_letters(PARTITION) == []


async def test_drop_in_an_unordered_topic(broker: RedisConnectionManager, consumer: Consumer, control: WaitingControl) -> None:
    """There the lane is the entry."""
    await Appender(broker, PARTITIONS, dedupe_window_s=3600, backlog_limit=1_000_000).append([(CALLS, event(key=KEY))], 10.0)
    (entry,) = await read(consumer, topic=CALLS)
    await consumer.settle(Settlements(waiting=[WaitingLane(CALLS, entry.id, "", FAR_MS, [entry.id])]))
    assert await control.retry_now(PARTITION, CALLS, [entry.id]) == [RetriedNow.DUE]
    found = await locate(broker, StreamPosition(PARTITION, CALLS, entry.id), KEY)
    assert found is not None
    assert found.wait is not None
    assert (found.stage, found.wait.lane, found.wait.until_ms) == (Stage.WAITING, entry.id, 0)
    assert await control.drop(PARTITION, CALLS, [(entry.id, entry.id)], "", ledger=False) == [Dropped.DONE]
    assert await control.sets([CALLS]) == []


@pytest.mark.parametrize("configured", [True, False])
async def test_drop_reaches_the_ledger(
    broker: RedisConnectionManager,
    consumer: Consumer,
    control: WaitingControl,
    redis_client: "redis.Redis",
    configured: bool,
) -> None:
    """With a ledger, or where one is in use, the dropped event gets its outcome there."""
    if not configured:
        redis_client.xdel(keys.ledger(PARTITION), redis_client.xadd(keys.ledger(PARTITION), {"a": "b"}))
    await put_waiting(broker, consumer, KEY)
    await control.drop(PARTITION, MESSAGES, [(LANE, "")], "", ledger=configured)
    ((_, fields),) = await broker.execute("xrange", "x", "XRANGE", keys.ledger(PARTITION), "-", "+")
    assert fields[-2:] == [b"ledger.outcome", b"dead"]
    assert b"dropped" in fields


@pytest.mark.parametrize("settled", [1, 2, 3])
async def test_loading_goes_on_after_what_was_settled(
    broker: RedisConnectionManager, consumer: Consumer, index: WaitingIndex, settled: int
) -> None:
    """The next entry of a lane is loaded also if all that was in memory is settled, which made it the first of its lane."""
    entries = await put_waiting(broker, consumer, KEY, 5)
    await resume(index, FAR_MS)
    (loaded,) = await index.load([LoadRequest(MESSAGES, LANE, entries[0], 2)], 1_000_000)
    assert [entry.id for entry in loaded.entries] == entries[1:3]
    leaving = [LeavingEntry(MESSAGES, LANE, entry) for entry in entries[:settled]]
    await consumer.settle(Settlements(done={MESSAGES: entries[:settled]}, leaving=leaving))
    (loaded,) = await index.load([LoadRequest(MESSAGES, LANE, entries[2], 10)], 1_000_000)
    assert [entry.id for entry in loaded.entries] == entries[3:]


async def test_event_is_located(broker: RedisConnectionManager, consumer: Consumer, index: WaitingIndex, feed: Feed) -> None:
    """An event is unread, waits first, waits behind another one, or is in memory."""

    async def stage(entry: str) -> tuple[Stage, str | None]:
        found = await locate(broker, StreamPosition(PARTITION, MESSAGES, entry), KEY)
        assert found is not None
        return found.stage, found.wait and found.wait.first_entry

    entries = await put_waiting(broker, consumer, KEY, 2, "breaker:crm")
    assert [await stage(entry) for entry in entries] == [(Stage.WAITING, entries[0])] * 2
    await feed.put(1)
    newest = (await broker.execute("xrevrange", "x", "XREVRANGE", keys.topic(PARTITION, MESSAGES), "+", "-", "COUNT", 1))[0][0]
    assert await stage(newest.decode()) == (Stage.UNREAD, None)
    await resume(index, FAR_MS, "breaker:crm")
    assert await stage(entries[0]) == (Stage.PENDING, None)
    assert await locate(broker, StreamPosition(PARTITION, MESSAGES, "1-1"), KEY) is None


async def test_nothing_is_written_by_looking(
    broker: RedisConnectionManager, control: WaitingControl, redis_client: "redis.Redis"
) -> None:
    """On an empty Redis, there is nothing, and looking and trying leave nothing behind."""
    assert await control.sets([MESSAGES]) == []
    assert await control.retry_now(0, MESSAGES, [LANE]) == [RetriedNow.NOT_WAITING]
    assert await control.drop(0, MESSAGES, [(LANE, "")], "", ledger=True) == [Dropped.GONE]
    assert await locate(broker, StreamPosition(0, MESSAGES, "1-1"), KEY) is None
    assert redis_client.dbsize() == 0


@pytest.mark.parametrize(("condition", "taken"), [("", Appended.NEW), (LATER, Appended.NEW), ("breaker:crm", Appended.FULL)])
async def test_what_waits_for_a_time_does_not_fill_the_backlog(
    broker: RedisConnectionManager, consumer: Consumer, condition: str, taken: Appended
) -> None:
    """Events that wait for a time do not count against the limit; those that wait for a breaker do."""
    for nth in range(3):
        await put_waiting(broker, consumer, key_of(PARTITION, nth), condition=condition)
    appender = Appender(broker, PARTITIONS, dedupe_window_s=3600, backlog_limit=2 * PARTITIONS)
    batch = [(MESSAGES, event(key=KEY)) for _ in range(3)]
    assert await appender.append(batch, 10.0) == [taken, taken, Appended.FULL]
