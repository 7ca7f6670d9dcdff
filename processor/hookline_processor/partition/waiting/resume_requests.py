"""Which waiting lanes of a partition to resume now, and how many. No I/O."""

from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import Final

from hookline_processor.partition.waiting.conditions import BREAKER
from hookline_processor.partition.waiting.waiting_sets import TIMED, WaitingSet, WaitingSets
from hookline_shared.streams.waiting.index import LATER, ResumeRequest

HORIZON_MS: Final = 3_600_000
"""Lanes that wait for longer are apart from the others, so that an impossible time is noticed in either set."""
LONGEST_WAIT_MS: Final = 30 * 86_400_000
"""The longest wait for a time: that of `RetryLater`."""
_SLACK_MS: Final = 60_000
"""By so much a time may be later than is possible: the clocks of processors differ."""
_MAX_RESUMED: Final = 100

Claim = Callable[[str], float]
"""Returns how many of the lanes may be resumed that wait for a condition, infinity for all."""


def resume_requests(
    sets: WaitingSets, topics: Iterable[str], free: Callable[[str], int], claim: Claim, now_ms: int
) -> list[ResumeRequest]:
    """Return what to ask for: lanes of `topics` that may be resumed, and how it stands with the others, in every set.

    `free(topic)` is how many more events may be in memory; the sets of a topic share them. `now_ms` is Unix time in ms.
    """
    return [request for topic in topics for request in _of_topic(topic, sets, free(topic), claim, now_ms)]


def _of_topic(topic: str, sets: WaitingSets, free: int, claim: Claim, now_ms: int) -> Iterator[ResumeRequest]:
    found = sets.of(topic)
    free = min(_MAX_RESUMED, free)
    share = -(-free // max(1, sum(waiting.count > 0 for waiting in found.values())))
    for condition, waiting in found.items():
        request = _of_set(topic, condition, waiting, min(free, share, waiting.count), claim, now_ms)
        free -= request.most
        yield request


def _of_set(topic: str, condition: str, waiting: WaitingSet, most: int, claim: Claim, now_ms: int) -> ResumeRequest:
    if condition in TIMED:
        longest_ms = LONGEST_WAIT_MS if condition == LATER else HORIZON_MS
        return ResumeRequest(topic, condition, now_ms, now_ms + longest_ms + _SLACK_MS, most)
    if most and (claimed := claim(condition)):
        return ResumeRequest(topic, condition, inf, inf, int(min(most, claimed)))
    if most and waiting.next_ms <= now_ms and not condition.startswith(BREAKER):
        return ResumeRequest(topic, condition, now_ms, inf, most)
    return ResumeRequest(topic, condition, now_ms, inf, 0)  # their number changes, too: by a takeover, or an operator
