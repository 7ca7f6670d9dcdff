"""Which waiting lanes are resumed, and how many."""

from collections.abc import Mapping
from math import inf

from hookline_processor.partition.waiting.resume_requests import HORIZON_MS, resume_requests
from hookline_processor.partition.waiting.waiting_sets import WaitingSets
from hookline_shared.streams.waiting.index import LATER, ResumeRequest
from hookline_shared.topics import MESSAGES

NOW = 1_750_000_000_000


def requests(
    waiting: Mapping[str, tuple[int, float]], free: int = 100, claims: Mapping[str, float] | None = None
) -> dict[str, ResumeRequest]:
    """Return the requests by condition; `waiting` has the number of lanes of each, and the earliest time."""
    sets = WaitingSets([MESSAGES])
    for condition, (count, next_ms) in waiting.items():
        sets.polled(MESSAGES, condition, count, next_ms, sets.changes(MESSAGES))
    asked = resume_requests(sets, [MESSAGES], lambda _topic: free, lambda condition: (claims or {}).get(condition, 0), NOW)
    return {request.condition: request for request in asked}


def test_lanes_that_are_due_and_those_that_cannot_be_right() -> None:
    """A time so far away that nobody can have asked for it is asked for as well."""
    found = requests({"": (5, NOW)})
    assert (found[""].due_ms, found[""].most) == (NOW, 5)
    assert NOW + HORIZON_MS < found[""].implausible_ms < found[LATER].implausible_ms


def test_sets_share_what_is_free() -> None:
    """However many lanes wait in one set, the others get their share, and no more than is free is asked for."""
    found = requests({"": (1000, NOW), LATER: (1000, NOW), "kind:new": (1000, NOW)}, free=10, claims={"kind:new": inf})
    assert sum(request.most for request in found.values()) <= 10
    assert all(request.most >= 2 for request in found.values())


def test_condition_decides_how_many() -> None:
    """All of them, one for a probe, or none; those whose time is over stop waiting for a condition, but for a breaker."""
    waiting = dict.fromkeys(("breaker:a", "breaker:b", "breaker:c", "pause:1", "kind:x"), (9, NOW - 1))
    found = requests(waiting, claims={"breaker:a": inf, "breaker:b": 1})
    assert (found["breaker:a"].most, found["breaker:a"].due_ms) == (9, inf)
    assert (found["breaker:b"].most, found["breaker:b"].due_ms) == (1, inf)
    assert found["breaker:c"].most == 0
    assert found["pause:1"].due_ms == found["kind:x"].due_ms == NOW


def test_nothing_is_free() -> None:
    """It is still asked how many wait, and until when; no probe of a breaker is claimed in vain."""
    claimed: list[str] = []
    sets = WaitingSets([MESSAGES])
    sets.polled(MESSAGES, "breaker:a", 5, NOW, sets.changes(MESSAGES))

    def claim(condition: str) -> float:
        claimed.append(condition)
        return 1

    found = resume_requests(sets, [MESSAGES], lambda _topic: 0, claim, NOW)
    assert {request.condition: request.most for request in found} == {"": 0, LATER: 0, "breaker:a": 0}
    assert claimed == []


def test_lanes_that_may_not_be_resumed_are_counted() -> None:
    """Their number changes, also while the condition lasts: by an operator, or because others have put them there."""
    found = requests({"pause:1": (1, inf), "breaker:a": (1, NOW), "kind:x": (1, inf)})
    assert {condition: request.most for condition, request in found.items() if request.condition not in ("", LATER)} == {
        "pause:1": 0,
        "breaker:a": 0,
        "kind:x": 0,
    }
