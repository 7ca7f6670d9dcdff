"""What the owner of a partition knows about its waiting lanes: how many there are, and when the next one is due. No I/O.

Redis has the truth; this is what the latest answers said, and what was written since. It is bounded: lanes are only counted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Final

from hookline_shared.streams.waiting.index import LATER

TIMED: Final = ("", LATER)
"""The sets of lanes that wait for a time."""
TIME: Final = "time"
"""The reason of lanes in these sets; the reason of the others is the family of their condition."""


@dataclass(slots=True)
class WaitingSet:
    """The lanes of a topic that wait for one condition: how many, and the earliest time of them, in Unix ms."""

    count: int = 0
    next_ms: float = inf


class WaitingSets:
    """The waiting lanes of each topic by condition; the empty condition and `LATER` stand for a time."""

    def __init__(self, topics: Iterable[str]) -> None:
        self._sets = {topic: {condition: WaitingSet() for condition in TIMED} for topic in topics}
        self._indexed = set(self._sets)  # unknown at first
        self._unwritten = Counter[str]()
        self._changes = Counter[str]()

    def topics(self) -> list[str]:
        """Return all topics."""
        return list(self._sets)

    def may_be_indexed(self, topic: str) -> bool:
        """Whether any lane of `topic` may be in the index, so that new events must ask."""
        return topic in self._indexed

    def waiting(self, topic: str) -> int:
        """Return the number of waiting lanes."""
        return sum(waiting.count for waiting in self._sets[topic].values())

    def by_reason(self, topic: str) -> Counter[str]:
        """Return the number of waiting lanes by what they wait for: `TIME`, or the family of their condition."""
        reasons = Counter[str]()
        for condition, waiting in self._sets[topic].items():
            reasons[TIME if condition in TIMED else condition.partition(":")[0]] += waiting.count
        return reasons

    def of(self, topic: str) -> Mapping[str, WaitingSet]:
        """Return the sets by condition."""
        return self._sets[topic]

    def topics_to_poll(self) -> list[str]:
        """Return the topics that have waiting lanes, or may have."""
        return [topic for topic in self._sets if topic in self._indexed]

    def next_ms(self, topics: Iterable[str]) -> float:
        """Return the time at which the next lane of `topics` is due that waits for a time, in Unix ms, or infinity."""
        timed = (self._sets[topic][condition] for topic in topics for condition in TIMED)
        return min((waiting.next_ms for waiting in timed if waiting.count), default=inf)

    def will_wait(self, topic: str) -> None:
        """Note that a lane is about to be written to the index."""
        self._indexed.add(topic)
        self._unwritten[topic] += 1
        self._changes[topic] += 1

    def was_deferred(self, topic: str) -> None:
        """Note that an event was put into the index."""
        self._indexed.add(topic)
        self._changes[topic] += 1

    def forget(self) -> None:
        """Note that nothing is known any more: any lane may be indexed."""
        self._indexed.update(self._sets)
        self._changes.update(self._sets.keys())

    def waits(self, topic: str, condition: str, time_ms: float) -> None:
        """Note that a lane waits in Redis now."""
        self._unwritten[topic] -= 1
        self._changes[topic] += 1
        waiting = self.found(topic, condition)
        waiting.count += 1
        waiting.next_ms = min(waiting.next_ms, time_ms)

    def found(self, topic: str, condition: str) -> WaitingSet:
        """Return the set of a condition, which may be new."""
        return self._sets[topic].setdefault(condition, WaitingSet())

    def changes(self, topic: str) -> int:
        """Return a number that changes with every `will_wait` and `waits`, so that an older answer of Redis can be told."""
        return self._changes[topic]

    def polled(self, topic: str, condition: str, count: int, next_ms: float, changes: int) -> None:
        """Note what Redis has said about a set. `changes` is what `changes` returned before it was asked."""
        waiting = self.found(topic, condition)
        if changes != self._changes[topic]:  # a lane that waits since may be missing in the answer
            count, next_ms = max(count, waiting.count), min(next_ms, waiting.next_ms)
        waiting.count, waiting.next_ms = count, next_ms
        if not count and condition not in TIMED:
            del self._sets[topic][condition]

    def poll_ended(self, topic: str, resumed: int, changes: int) -> None:
        """Note that `topic` was polled, and has `resumed` lanes; `changes` is what `changes` returned before."""
        idle = not resumed and not self.waiting(topic) and not self._unwritten[topic] and changes == self._changes[topic]
        if idle:
            self._indexed.discard(topic)


class WaitingTotals:
    """The waiting lanes of all partitions that one processor owns."""

    def __init__(self) -> None:
        self._partitions: set[WaitingSets] = set()

    def add(self, sets: WaitingSets) -> None:
        """Count those of a partition, until `discard`."""
        self._partitions.add(sets)

    def discard(self, sets: WaitingSets) -> None:
        """Stop counting those of a partition."""
        self._partitions.discard(sets)

    def by_reason(self, topic: str) -> Counter[str]:
        """Return the number of waiting lanes of `topic` by what they wait for."""
        return sum((sets.by_reason(topic) for sets in self._partitions), Counter[str]())
