"""How much of a topic, and how many bytes of all topics, are in memory."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline_processor.partition.memory_limits import READ_BYTES, PayloadMemory, Room

PLENTY = 1 << 30


def fill(room: Room, topic: str, *entries: str, size: int = 1) -> None:
    for entry in entries:
        assert room.admit(topic, entry, size)


def room_of(size: int, *topics: str, memory: PayloadMemory | None = None) -> Room:
    return Room(topics or ("a",), size, memory or PayloadMemory(PLENTY))


async def reads_of(room: Room) -> int:
    """Return how many entries of topic `a` are read next."""
    (count,) = room.reads(["a"])
    return count


async def test_topic_closes_when_no_batch_fits() -> None:
    """A topic is read only while half of its room is free, so it never overflows."""
    room = room_of(4, "a", "b")
    fill(room, "a", "1-0", "2-0")
    assert room.open_topics() == ["a", "b"]
    fill(room, "a", "3-0")
    assert room.open_topics() == ["b"]
    assert room.free("a") == 1  # which waiting lanes may use
    room.release("a", "1-0")
    assert room.open_topics() == ["a", "b"]


async def test_entry_is_in_memory_once() -> None:
    """Reading a pending entry again does not take room twice."""
    memory = PayloadMemory(100)
    room = room_of(4, memory=memory)
    fill(room, "a", "1-0", size=60)
    assert not room.admit("a", "1-0", 60)
    assert memory.free == 40
    assert room.count("a") == 1
    room.release("a", "1-0")
    assert (memory.free, room.count("a")) == (100, 0)
    fill(room, "a", "1-0")


async def test_room_for_one_still_reads() -> None:
    """The smallest room lets one entry in at a time."""
    room = room_of(1)
    assert room.open_topics() == ["a"]
    assert room.reads(["a"]) == {1: ["a"]}
    fill(room, "a", "1-0")
    assert room.open_topics() == []
    assert room.free("a") == 0


async def test_bytes_close_all_topics_that_have_any() -> None:
    """Without memory nothing more is read, but for a topic without any event: an event that is too large does not stop it."""
    memory = PayloadMemory(100)
    room, other = room_of(8, "a", "b", memory=memory), room_of(8, memory=memory)
    fill(room, "a", "1-0", size=150)
    assert memory.free == 0
    assert room.open_topics() == ["b"]
    assert (room.free("a"), room.free("b")) == (0, 8)
    assert other.open_topics() == ["a"]
    fill(other, "a", "1-0", size=1)
    assert other.open_topics() == []
    room.release("a", "1-0")
    assert other.open_topics() == ["a"]


async def test_memory_of_one_partition_wakes_the_others() -> None:
    """What one of them gives back is room for all, until a partition is somebody else's."""
    memory = PayloadMemory(100)
    rooms = [room_of(8, memory=memory) for _ in range(3)]
    woken: list[int] = []
    for number, room in enumerate(rooms):
        room.on_freed(lambda number=number: woken.append(number))  # type: ignore[misc]
    fill(rooms[0], "a", "1-0", "2-0", size=50)
    rooms[2].close()
    rooms[0].release("a", "1-0")
    assert {0, 1} <= set(woken)
    assert 2 not in woken
    woken.clear()
    rooms[0].release("a", "2-0")
    assert woken == []  # there was memory before


async def test_closed_room_gives_everything_back() -> None:
    """The next owner of the partition has the events."""
    memory = PayloadMemory(100)
    room, other = room_of(8, "a", "b", memory=memory), room_of(8, memory=memory)
    fill(room, "a", "1-0", "2-0", size=30)
    fill(room, "b", "1-0", size=40)
    fill(other, "a", "1-0", size=1)
    room.close()
    assert memory.free == 99
    assert room.count("a") == room.count("b") == 0


async def test_reads_grow_while_entries_are_small() -> None:
    """The first read is small, since nobody knows how large its entries are; each read is at most twice the last."""
    room = room_of(100)
    counts = []
    for _ in range(7):
        counts.append(await reads_of(room))
        room.was_read("a", counts[-1], counts[-1])
    assert counts == [2, 4, 8, 16, 32, 50, 50]


async def test_reads_shrink_to_what_fits() -> None:
    """A read returns about so many bytes, and one entry at least."""
    room = room_of(100)
    for _ in range(7):
        room.was_read("a", 1, 1)
    room.was_read("a", 10, 10 * READ_BYTES // 4)
    assert await reads_of(room) == 4
    room.was_read("a", 4, 4 * 10 * READ_BYTES)
    assert await reads_of(room) == 1
    room.was_read("a", 0, 0)
    assert await reads_of(room) == 2


async def test_reads_that_failed_are_asked_for_smaller() -> None:
    """Their answers may have been too large for a slow connection."""
    room = room_of(100)
    for _ in range(7):
        room.was_read("a", 1, 1)
    assert await reads_of(room) == 50
    room.read_failed()
    assert await reads_of(room) == 1


async def test_topics_of_one_size_are_read_at_once() -> None:
    """Each number of entries is one command."""
    room = room_of(100, "a", "b", "c")
    assert room.reads("abc") == {2: ["a", "b", "c"]}
    room.was_read("b", 2, 2)
    assert room.reads("abc") == {2: ["a", "c"], 4: ["b"]}
    assert room.reads("ac") == {2: ["a", "c"]}


async def test_wait_freed_ends_when_a_topic_opens() -> None:
    """A reader that found a topic full goes on as soon as a batch fits again, and not at every entry released."""
    room = room_of(4, "a", "b")
    fill(room, "a", "1-0", "2-0", "3-0", "4-0")
    fill(room, "b", "5-0")
    assert room.open_topics() == ["b"]
    waiting = asyncio.ensure_future(room.wait_freed())
    await asyncio.sleep(0)
    room.release("b", "5-0")
    room.release("a", "1-0")
    await asyncio.sleep(0)
    assert not waiting.done()
    room.release("a", "2-0")
    await waiting
    await room.wait_freed()  # it still is one that was not open when last asked
    assert room.open_topics() == ["a", "b"]
    waiting = asyncio.ensure_future(room.wait_freed())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 60), st.booleans()), max_size=60)


@given(STEPS)
@pytest.mark.filterwarnings("error")
def test_sums_hold_after_every_step(steps: list[tuple[str, int, int, bool]]) -> None:
    """Whatever is taken and given back: memory is what all entries take, and all of it is free when none is left."""
    memory = PayloadMemory(100)
    rooms = [Room("abc", 4, memory) for _ in range(2)]
    held: dict[tuple[int, str, str], int] = {}
    for topic, number, size, which in steps:
        place = (int(which), topic, f"{number}-0")
        if place in held and size % 2:
            rooms[which].release(topic, place[2])
            del held[place]
        else:
            assert rooms[which].admit(topic, place[2], size) is (place not in held)
            held.setdefault(place, size)
        assert memory.free == max(0, 100 - sum(held.values()))
        for at, room in enumerate(rooms):
            for name in "abc":
                count = sum(one[:2] == (at, name) for one in held)
                assert room.count(name) == count
                assert (name in room.open_topics()) is (not count or (count <= 2 and memory.free > 0))
    for room in rooms:
        room.close()
    assert memory.free == 100
