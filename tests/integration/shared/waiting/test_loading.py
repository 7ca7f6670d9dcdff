"""The entries behind the first one of a resumed lane."""

import pytest

from hookline_shared.streams.consume import CONSUMER
from hookline_shared.streams.settlements import Settlements
from hookline_shared.streams.waiting.index import (
    Deferral,
    Loaded,
    LoadRequest,
)
from hookline_shared.topics import MESSAGES
from tests.integration.shared.waiting.conftest import LANE, PLENTY, Bench, ids


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5, 6, 9])
async def test_lane_is_loaded_in_parts(bench: Bench, most: int) -> None:
    """Each part comes after the last entry of the one before, as many as asked for, until there are no more."""
    entries = await bench.read(6)
    await bench.wait(*entries)
    await bench.resume()
    found: list[str] = []
    while True:
        loaded = await bench.load(found[-1] if found else "", most)
        found += ids(loaded)
        assert len(loaded.entries) == min(most, 6 - len(found) + len(loaded.entries))
        assert loaded.more is (len(found) < 6)
        if not loaded.more:
            break
    assert found == bench.of(CONSUMER) == entries
    assert bench.state.entries(MESSAGES, LANE) == entries


async def test_loading_twice_is_loading_once(bench: Bench) -> None:
    """The second answer says that the entries may have been in memory, which is all that has changed."""
    entries = await bench.read(3)
    await bench.wait(*entries)
    await bench.resume()
    for was_in_memory in (False, True):
        loaded = await bench.load(entries[0])
        assert [(entry.id, entry.was_in_memory) for entry in loaded.entries] == [(one, was_in_memory) for one in entries[1:]]
        assert (loaded.resumed, loaded.more) == (True, False)


async def test_part_is_bounded_by_bytes(bench: Bench) -> None:
    """One entry comes whatever its size; the rest is for later, also that of other lanes."""
    entries = await bench.read(4)
    await bench.wait(*entries[:3])
    await bench.wait(entries[3], lane="other")
    await bench.resume()
    requests = [LoadRequest(MESSAGES, LANE, entries[0], 5), LoadRequest(MESSAGES, "other", "", 5)]
    first, second = await bench.index.load(requests, 1)
    assert (ids(first), first.more) == (entries[1:2], True)
    assert (ids(second), second.more) == ([], True)
    first, second = await bench.index.load(requests, PLENTY)
    assert (ids(first), first.more) == (entries[1:3], False)
    assert (ids(second), second.more) == (entries[3:], False)


async def test_last_entry_may_be_settled_meanwhile(bench: Bench) -> None:
    """Then what is first now is next."""
    entries = await bench.read(4)
    await bench.wait(*entries)
    await bench.resume()
    await bench.load(entries[0], 1)
    await bench.leave(entries[0])
    assert ids(await bench.load(entries[1], 1)) == entries[2:3]
    await bench.leave(entries[1])
    assert ids(await bench.load(entries[1], 1)) == entries[3:4] or ids(await bench.load("", 1)) == entries[2:3]


@pytest.mark.parametrize("stale", [1, 3, 5])
async def test_entries_that_are_settled_are_skipped(bench: Bench, stale: int) -> None:
    """Wherever they are in the lane, and however many: what comes after them is found, and they are listed no more."""
    entries = await bench.read(7)
    await bench.wait(*entries)
    await bench.resume()
    await bench.consumer.settle(Settlements(done={MESSAGES: entries[1 : 1 + stale]}))
    found: list[str] = []
    for _ in range(7):
        loaded = await bench.load(found[-1] if found else entries[0], 2)
        found += ids(loaded)
        if not loaded.more:
            break
    assert found == entries[1 + stale :]
    assert bench.state.entries(MESSAGES, LANE) == [entries[0], *entries[1 + stale :]]


async def test_lane_whose_first_entries_are_settled(bench: Bench) -> None:
    """They make room for the next ones; a lane without any is not indexed any more."""
    entries = await bench.read(4)
    await bench.wait(*entries)
    await bench.resume()
    await bench.consumer.settle(Settlements(done={MESSAGES: entries[:2]}))
    assert ids(await bench.load()) == entries[2:]
    await bench.consumer.settle(Settlements(done={MESSAGES: entries[2:]}))
    assert await bench.load() == Loaded(resumed=False, more=False, entries=[])
    assert bench.state.keys() == set()


async def test_lane_that_is_not_indexed(bench: Bench) -> None:
    """There is nothing to load, and no error."""
    assert await bench.load() == Loaded(resumed=False, more=False, entries=[])
    assert await bench.load("1-1") == Loaded(resumed=False, more=False, entries=[])
    assert bench.state.keys() == set()


async def test_entry_that_is_listed_twice(bench: Bench) -> None:
    """As after a takeover, whose owner has found it in memory and in the index: its order stays, and nothing is left of it."""
    entries = await bench.read(3)
    await bench.wait(*entries[:2])
    await bench.resume()
    await bench.load(entries[0])
    assert await bench.defer(entries[1]) is Deferral.DEFERRED_RESUMED
    await bench.defer(entries[2])
    found = ids(await bench.load(entries[0]))
    assert list(dict.fromkeys(found)) == entries[1:]
    for entry in entries:
        await bench.leave(entry)
        await bench.load()
    assert bench.state.keys() == set()
