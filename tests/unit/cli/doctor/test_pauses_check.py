"""What `hookline doctor` says about pauses, and what a pause covers."""

import pytest

from hookline_cli.doctor.checks.pauses import findings
from hookline_cli.doctor.finding import Level
from hookline_shared.streams.waiting.pauses import Pause

HOUR_MS = 3_600_000
NOW_MS = 100 * HOUR_MS


def pause(since_ms: int = NOW_MS, until_ms: int = 0, topic: str = "messages", kind: str = "") -> Pause:
    return Pause(id="p1", topic=topic, kind=kind, who="me", why="why", since_ms=since_ms, until_ms=until_ms)


@pytest.mark.parametrize(
    ("pauses", "growth", "warned"),
    [
        ([], {}, []),
        ([pause()], {}, []),
        ([pause(NOW_MS - 23 * HOUR_MS)], {}, []),
        ([pause(NOW_MS - 25 * HOUR_MS)], {}, ["older than a day"]),
        ([pause(NOW_MS - 25 * HOUR_MS, NOW_MS + HOUR_MS)], {}, []),
        ([pause()], {"messages": 3}, ["the backlog grows within 1 s (messages by 3)"]),
        ([pause()], {"messages": 0}, []),
        ([pause(topic="")], {"messages": 3, "calls": 1}, ["the backlog grows within 1 s (messages by 3, calls by 1)"]),
        ([pause(kind="message.received")], {"messages": 3}, []),
        ([pause(NOW_MS - 25 * HOUR_MS)], {"messages": 3}, ["older than a day", "the backlog grows"]),
    ],
)
def test_forgotten_pauses(pauses: list[Pause], growth: dict[str, int], warned: list[str]) -> None:
    """One that is old and has no end is a warning, and one of a topic whose backlog grows; each names who and the remedy."""
    found = [one for one in findings(pauses, growth, NOW_MS) if one.level is Level.WARNING]
    assert len(found) == len(warned)
    for one, words in zip(found, warned, strict=True):
        assert one.found.startswith(words)
        assert "by me: why" in one.found
        assert "hookline resume p1" in one.remedy
    if pauses and not warned:
        assert [one.level for one in findings(pauses, growth, NOW_MS)] == [Level.OK]


@pytest.mark.parametrize(
    ("kind", "covered"),
    [("sync.item", True), ("sync.", True), ("sync", False), ("syncs.item", False), ("message.received", False)],
)
def test_pause_of_a_family(kind: str, covered: bool) -> None:
    """A family covers its kinds, and no others."""
    assert Pause(id="p", kind="sync.*").covers("events", kind, "key") is covered
