"""How much of a topic is held in memory."""

import asyncio

from hookline_processor.partition.window import Window


def fill(window: Window, topic: str, *entries: str) -> None:
    """Admit entries that are in memory."""
    for entry in entries:
        assert window.admit(topic, entry)
        window.count_loaded(topic)


def test_topic_closes_when_no_batch_fits() -> None:
    """A topic is read only while a whole batch fits, so its window never overflows."""
    window = Window(["a", "b"], 4)
    assert window.batch == 2
    fill(window, "a", "1-0", "2-0", "3-0")
    assert window.open_topics() == ["b"]
    window.release("a", "1-0")
    assert window.open_topics() == ["a", "b"]


def test_ids_alone_take_less_room() -> None:
    """Entries that are not in memory close a topic only when there are eight times as many."""
    window = Window(["a"], 4)
    for number in range(30):
        assert window.admit("a", f"{number}-0")
    assert window.open_topics() == ["a"]
    assert window.count("a") == 30
    assert window.admit("a", "30-0")
    assert window.open_topics() == []


def test_entry_is_held_once() -> None:
    """Reading a pending entry again does not hold it twice."""
    window = Window(["a"], 4)
    fill(window, "a", "1-0")
    assert not window.admit("a", "1-0")
    window.release("a", "1-0")
    fill(window, "a", "1-0")


def test_window_of_one_still_reads() -> None:
    """The smallest window lets one entry in at a time."""
    window = Window(["a"], 1)
    assert window.open_topics() == ["a"]
    fill(window, "a", "1-0")
    assert window.open_topics() == []


async def test_wait_opened_ends_when_a_topic_opens() -> None:
    """A reader that found a topic full goes on as soon as a batch fits again, and not at every entry released."""
    window = Window(["a", "b"], 4)
    fill(window, "a", "1-0", "2-0", "3-0", "4-0")
    fill(window, "b", "5-0")
    assert window.open_topics() == ["b"]
    waiting = asyncio.ensure_future(window.wait_opened())
    await asyncio.sleep(0)
    window.release("b", "5-0")
    window.release("a", "1-0")
    await asyncio.sleep(0)
    assert not waiting.done()
    window.release("a", "2-0")
    await waiting
    await window.wait_opened()  # it still is one that was not open when last asked
    assert window.open_topics() == ["a", "b"]
    waiting = asyncio.ensure_future(window.wait_opened())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
