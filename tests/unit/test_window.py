"""How much of a topic is held in memory."""

import asyncio

from processor.window import Window


def test_topic_closes_when_no_batch_fits() -> None:
    """A topic is read only while a whole batch fits, so its window never overflows."""
    window = Window(["a", "b"], 4)
    assert window.batch == 2
    for entry in ("1-0", "2-0", "3-0"):
        assert window.admit("a", entry)
    assert window.open_topics() == ["b"]
    window.release("a", "1-0")
    assert window.open_topics() == ["a", "b"]


def test_entry_is_held_once() -> None:
    """Reading a pending entry again does not hold it twice."""
    window = Window(["a"], 4)
    assert window.admit("a", "1-0")
    assert not window.admit("a", "1-0")
    window.release("a", "1-0")
    assert window.admit("a", "1-0")


def test_window_of_one_still_reads() -> None:
    """The smallest window lets one entry in at a time."""
    window = Window(["a"], 1)
    assert window.open_topics() == ["a"]
    window.admit("a", "1-0")
    assert window.open_topics() == []


async def test_wait_room_ends_when_an_entry_is_released() -> None:
    """A reader that found all topics full goes on as soon as one has room."""
    window = Window(["a"], 1)
    window.admit("a", "1-0")
    waiting = asyncio.ensure_future(window.wait_room())
    await asyncio.sleep(0)
    assert not waiting.done()
    window.release("a", "1-0")
    await waiting
