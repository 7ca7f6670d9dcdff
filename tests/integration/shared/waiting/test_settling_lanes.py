"""Lanes that begin to wait, and entries that leave the index."""

import pytest
import redis

from hookline_shared.streams.consume import CONSUMER, WAITING
from hookline_shared.streams.settlements import DeadLetterRecord, LeavingEntry, Settlements, WaitingLane, record_name
from hookline_shared.streams.waiting.index import (
    LATER,
    Deferral,
    lane_id,
)
from hookline_shared.topics import MESSAGES, STATUSES
from tests.integration.shared.waiting.conftest import BREAKER, LANE, Bench, ids
from tests.support.processor.feed import PARTITION, PENDING, read
from tests.support.storage.keys import keys


def test_lanes_have_names_of_their_own() -> None:
    """The same key is another lane in another topic. A name has no "-", which tells entry ids from them."""
    names = [lane_id(topic, f"key{number}") for topic in (MESSAGES, STATUSES) for number in range(1000)]
    assert len(set(names)) == 2000
    assert {len(name) for name in names} == {11}
    assert "-" not in "".join(names)
    assert lane_id(MESSAGES, "\udcff") != lane_id(MESSAGES, "\udcfe")


async def test_lane_waits_with_all_that_follows_it(bench: Bench) -> None:
    """Its entries are in the index in their order, still pending, and no longer those of the owner's memory."""
    entries = await bench.read(4)
    await bench.wait(*entries[:3])
    assert bench.state.entries(MESSAGES, LANE) == entries[:3]
    assert bench.state.waiting(MESSAGES) == {LANE: 5}
    assert (bench.of(WAITING), bench.of(CONSUMER)) == (entries[:3], entries[3:])
    assert [entry.id for entry in await read(bench.consumer, PENDING)] == entries[3:]
    assert bench.state.resumed(MESSAGES) == bench.state.conditions() == set()


async def test_lane_waits_for_a_condition(bench: Bench) -> None:
    """Each condition has a set of its own, which is found by its name."""
    entries = await bench.read(2)
    await bench.wait(entries[0], condition=BREAKER)
    await bench.wait(entries[1], lane="other", condition=LATER)
    assert bench.state.waiting(MESSAGES, BREAKER) == {LANE: 5}
    assert bench.state.waiting(MESSAGES) == {}
    assert set(await bench.index.conditions()) == {(MESSAGES, BREAKER), (MESSAGES, LATER)}


async def test_lane_that_waits_again_keeps_what_is_behind(bench: Bench) -> None:
    """What was in memory comes before what was not, whether or not it was indexed, and no entry is listed twice."""
    entries = await bench.read(6)
    await bench.wait(*entries[2:])  # as after events that came before the index, which are done first
    await bench.resume()
    assert ids(await bench.load(entries[2], most=1)) == [entries[3]]
    await bench.wait(*entries[:4], time=7)
    assert bench.state.entries(MESSAGES, LANE) == entries
    assert bench.state.waiting(MESSAGES) == {LANE: 7}
    assert bench.state.resumed(MESSAGES) == set()
    assert bench.of(WAITING) == entries


async def test_lane_that_waits_takes_along_what_was_loaded_too_late(bench: Bench) -> None:
    """Its owner gave up that call, or let the lane wait meanwhile: nobody else would return these entries to the index."""
    entries = await bench.read(12)
    await bench.wait(*entries)
    await bench.resume()
    await bench.load(entries[0], most=1)
    await bench.load(entries[1], most=8)
    await bench.wait(*entries[:2], time=7)
    assert bench.state.entries(MESSAGES, LANE) == entries
    assert bench.of(WAITING) == entries


@pytest.mark.parametrize("missing", [0, 1, 2])
async def test_entry_without_a_body_is_told(bench: Bench, redis_client: "redis.Redis", missing: int) -> None:
    """Redis 7 removes it when it is given to another consumer; older versions keep it, and it is told when it is resumed."""
    entries = await bench.read(3)
    redis_client.xdel(keys.topic(PARTITION, MESSAGES), entries[missing])
    settled = await bench.wait(*entries)
    assert sorted([*bench.state.consumers(MESSAGES), *(entry for _, entry in settled.gone)]) == entries
    left = [lane.first.id for lane in (await bench.resume()).lanes]
    assert left == [entry for entry in entries if (MESSAGES, entry) not in settled.gone][:1]
    assert (await bench.wait(*entries)).gone == []


@pytest.mark.parametrize("condition", ["", BREAKER])
async def test_waiting_twice_is_waiting_once(bench: Bench, condition: str) -> None:
    """A settlement whose confirmation was lost is sent again."""
    entries = await bench.read(5)
    await bench.wait(*entries[3:])
    await bench.resume()
    for _ in range(3):
        await bench.wait(*entries[:4], condition=condition, time=7)
        assert bench.state.entries(MESSAGES, LANE) == entries
        assert bench.state.waiting(MESSAGES, condition) == {LANE: 7}
        assert bench.state.waiting(MESSAGES, "" if condition else BREAKER) == {}
        assert bench.state.resumed(MESSAGES) == set()


async def test_lane_that_was_resumed_before_it_waits_again_waits(bench: Bench) -> None:
    """The repetition has the last word, since the owner has not let it go yet."""
    entries = await bench.read(2)
    await bench.wait(*entries)
    await bench.resume()
    await bench.wait(*entries)
    assert bench.state.waiting(MESSAGES) == {LANE: 5}
    assert bench.state.resumed(MESSAGES) == set()
    assert bench.of(WAITING) == entries


async def test_settled_entry_does_not_wait(bench: Bench) -> None:
    """Nobody would ever remove it from the index."""
    entries = await bench.read(2)
    await bench.consumer.settle(Settlements(done={MESSAGES: entries[:1]}))
    await bench.wait(*entries)
    assert bench.state.keys() == set()
    assert bench.of(CONSUMER) == entries[1:]


async def test_waiting_entry_keeps_its_retry_record(bench: Bench) -> None:
    """It is written with it, and comes back with it."""
    (entry,) = await bench.read(1)
    waiting = [WaitingLane(MESSAGES, LANE, "", 5, [entry])]
    await bench.consumer.settle(Settlements(failed={record_name(MESSAGES, entry): "record"}, waiting=waiting))
    (lane,) = (await bench.resume()).lanes
    assert lane.first.record == b"record"


async def test_entry_of_an_unordered_topic_waits_alone(bench: Bench, redis_client: "redis.Redis") -> None:
    """Its lane has its own name, which is all that Redis keeps of it: 1 000 000 of them are an ordinary Tuesday."""
    entries = await bench.read(3, STATUSES)
    for number, entry in enumerate(entries):
        await bench.wait(entry, lane=entry, topic=STATUSES, time=number)
    assert bench.state.keys() == {f"waiting:{STATUSES}"}
    assert bench.state.waiting(STATUSES) == dict(zip(entries, (0, 1, 2), strict=True))
    answer = await bench.resume(1, topic=STATUSES)
    assert [(lane.lane, lane.behind, lane.first.id) for lane in answer.lanes] == [(entry, 0, entry) for entry in entries[:2]]
    assert (answer.left, answer.next_ms, answer.resumed) == (1, 2, 2)
    assert ids(await bench.load(lane=entries[0], topic=STATUSES)) == entries[:1]
    for entry in entries[:2]:
        await bench.leave(entry, entry, STATUSES)
    assert not (await bench.load(lane=entries[0], topic=STATUSES)).resumed
    assert bench.state.resumed(STATUSES) == set()
    assert redis_client.xlen(keys.topic(PARTITION, STATUSES)) == 1


async def test_settled_entries_leave_the_index(bench: Bench) -> None:
    """The next one is first, whichever was settled, done or dead; with the last one the lane is gone."""
    entries = await bench.read(4)
    await bench.wait(*entries)
    await bench.resume()
    await bench.leave(entries[1])
    assert bench.state.entries(MESSAGES, LANE) == [entries[0], *entries[2:]]
    letter = DeadLetterRecord(MESSAGES, entries[0], ["dead.reason", "rejected"])
    dead = Settlements(dead=[letter], leaving=[LeavingEntry(MESSAGES, LANE, entries[0])])
    for _ in range(3):
        await bench.consumer.settle(dead)
        assert bench.state.entries(MESSAGES, LANE) == entries[2:]
    for entry in entries[2:]:
        await bench.leave(entry)
    assert bench.state.keys() == set()


@pytest.mark.parametrize("condition", ["", BREAKER])
async def test_lane_whose_resumption_was_lost_goes_on(bench: Bench, condition: str) -> None:
    """A replica that had not seen it becomes the master: what the first event waited for does not concern the next one."""
    entries = await bench.read(3)
    await bench.wait(*entries, condition=condition, time=1000)
    await bench.leave(entries[0])
    assert bench.state.waiting(MESSAGES) == {LANE: 0}
    assert bench.state.waiting(MESSAGES, BREAKER) == {}
    (lane,) = (await bench.resume()).lanes
    assert lane.first.id == entries[1]


async def test_lane_whose_resumption_was_lost_ends(bench: Bench) -> None:
    """Nothing waits in the end."""
    (entry,) = await bench.read(1)
    await bench.wait(entry, condition=BREAKER)
    (single,) = await bench.read(1, STATUSES)
    await bench.wait(single, lane=single, topic=STATUSES)
    await bench.leave(entry)
    await bench.leave(single, lane=single, topic=STATUSES)
    assert bench.state.waiting(MESSAGES, BREAKER) == bench.state.waiting(STATUSES) == {}


async def test_lane_goes_on_in_the_settlement_in_which_its_first_leaves(bench: Bench) -> None:
    """One event is done, and the next one waits, in one batch."""
    entries = await bench.read(3)
    await bench.wait(*entries)
    await bench.resume()
    settlements = Settlements(
        done={MESSAGES: entries[:1]},
        leaving=[LeavingEntry(MESSAGES, LANE, entries[0])],
        waiting=[WaitingLane(MESSAGES, LANE, "", 9, entries[1:2])],
    )
    for _ in range(2):
        await bench.consumer.settle(settlements)
        assert bench.state.entries(MESSAGES, LANE) == bench.of(WAITING) == entries[1:]
        assert bench.state.waiting(MESSAGES) == {LANE: 9}


async def test_lane_ends_with_its_last_event(bench: Bench) -> None:
    """Though settled entries are still listed behind it, as after a takeover that found some in memory and in the index."""
    entries = await bench.read(3)
    await bench.wait(*entries)
    await bench.resume()
    await bench.load(entries[0])
    for entry in entries[1:]:
        assert await bench.defer(entry) is Deferral.DEFERRED_RESUMED
    assert bench.state.entries(MESSAGES, LANE) == [*entries, *entries[1:]]
    for entry in entries:
        await bench.leave(entry)
    assert bench.state.keys() == set()
