"""Checks the invariants of several processors.

What is true is asked of Redis itself at the moment when an attempt begins, and read from the log of what Redis did.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import redis

from hookline_processor.retry_record import NEVER_FAILED, decode_record
from hookline_shared.event import Event
from hookline_shared.partitions import partition_of
from hookline_shared.redis_keys import GROUP
from hookline_shared.streams.settlements import record_name
from tests.integration.processor.machine.command_log import Call
from tests.integration.processor.machine.harness import PARTITIONS, UNORDERED, Member
from tests.integration.processor.machine.redis_state import topic_state
from tests.integration.processor.machine.scripted_handlers import CALL, Attempt
from tests.support.storage.keys import keys
from tests.support.storage.stored import Stored

UNREAD: Final = "vip"
"""A topic that ingress writes and no processor reads."""
Lease = tuple[str, str]
"""Owner and term."""

POISON_AFTER: Final = 2
"""So many attempts that were cut short by the death of a processor, or since it stood still, make an event poison if before
them it was pending."""
_EFFECTS: Final = {"XACK", "XDEL", "XCLAIM", "HSET", "HDEL", "XADD", "ZADD", "ZREM", "SADD", "SREM", "RPUSH", "LPUSH", "LPOP"}


@dataclass(eq=False)
class Delivery:
    """An event that was offered to Redis, which said yes if it is `accepted`; it may be there all the same."""

    topic: str
    event: Event
    script: str
    timeline: int
    accepted: bool = False
    dropped: bool = False
    """Whether an operator asked to drop it."""
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def lane(self) -> tuple[str, str]:
        """The lane within which it must be in order."""
        return self.topic, self.event.id if self.topic == UNORDERED else self.event.key

    @property
    def errors(self) -> int:
        """The number of failed attempts."""
        return sum(attempt.failed for attempt in self.attempts)


class _ExpectedState(NamedTuple):
    """The lease of a partition, and of one topic the entry ids by event id, and the failures by entry id."""

    lease: Lease
    entries: dict[str, str]
    failures: dict[str, int]


class Invariants:
    """Is told of deliveries, attempts, and what the test does to processors. `master` is a client of the present master."""

    def __init__(self, master: "redis.Redis") -> None:
        self.deliveries: dict[str, Delivery] = {}
        self.running: list[Attempt] = []
        self.hurry = False
        self.destination_fails = False
        self._faults: list[str] = []
        self._timeline = 0
        self._leases: dict[Attempt, Lease] = {}
        self._timelines: dict[Attempt, int] = {}
        self._terms: set[tuple[str, str]] = set()
        self._master = master
        self._held: dict[str, Lease] = {}

    def check(self) -> None:
        """Raise an error if an invariant was violated."""
        assert not self._faults, "\n".join(self._faults)

    def offered(self, topic: str, event: Event, script: str) -> Delivery:
        """Record that an event is about to be delivered."""
        delivery = Delivery(topic, event, script, self._timeline)
        self.deliveries[event.id] = delivery
        return delivery

    def waiting_attempts(self) -> list[Attempt]:
        """Return the attempts that wait for their outcome."""
        return [attempt for attempt in self.running if not attempt.said.done()]

    def excuse(self, member: Member) -> None:
        """Excuse the attempts of `member`: it cannot know whether another has taken over."""
        for attempt in self.running:
            attempt.excused = attempt.excused or attempt.member is member

    def begin_timeline(self, master: "redis.Redis") -> None:
        """Note that `master` is the master from now on, with what it knows."""
        self._timeline += 1
        self._master = master
        self._held = {keys.lease(number): self._lease(number) for number in range(PARTITIONS)}
        for attempt in self.running:
            attempt.excused = True

    def begun(self, attempt: Attempt) -> str:
        """Record the start of an attempt; return the letter of the script."""
        if attempt.member.loop.ended:
            return "p"
        delivery = self.deliveries[attempt.event_id]
        at = len(delivery.attempts)
        letter = delivery.script[at : at + 1] or "d"
        self._faults += self._judge(attempt, delivery)
        delivery.attempts.append(attempt)
        self.running.append(attempt)
        if self.destination_fails and delivery.event.kind == CALL:
            return "e"
        return "d" if letter in "pL" and self.hurry else letter

    def ended(self, attempt: Attempt) -> None:
        """Record the end of an attempt."""
        if attempt in self.running:
            self.running.remove(attempt)

    def review(self, calls: Iterable[Call]) -> None:
        """Check the commands of the master: every event was settled by the owner of its partition at that time."""
        for call in calls:
            lease = next((word for word in call.words if word.endswith(":lease")), "")
            effects = [words for words in call.inner if words[0].upper() in _EFFECTS]
            fence = _fence(call.words) if lease else None
            if fence is not None:
                owner, term = fence
                if effects and fence != self._held.get(lease):
                    self._faults.append(f"{owner} settled with term {term} when the lease was {self._held.get(lease)}")
            for words in effects:
                self._note_lease(words, taken="acquire" in call.words)
        self.check()

    def conclude(self) -> None:
        """Check, once nothing unsettled is left, that each event is where it belongs."""
        stored = Stored(self._master)
        reasons: dict[str, list[str]] = {}
        for number in range(PARTITIONS):
            for _, fields in stored.dead_letters(number):
                letter = {name.decode(): value for name, value in zip(fields[::2], fields[1::2], strict=True)}
                reasons.setdefault(letter["id"].decode(), []).append(letter["dead.reason"].decode())
        for delivery in self.deliveries.values():
            if delivery.topic == UNREAD:
                continue
            if delivery.accepted or delivery.event.id in reasons:
                self._faults += _misplaced(delivery, reasons.get(delivery.event.id, []))
        records = {name for number in range(PARTITIONS) for name in stored.retry_records(number)}
        if records:
            self._faults.append(f"retry records of settled events are left: {records}")
        self.check()

    def _note_lease(self, words: list[str], *, taken: bool) -> None:
        name, *pairs = words[1:]
        if words[0].upper() != "HSET" or not name.endswith(":lease"):
            return
        facts = dict(zip(pairs[::2], pairs[1::2], strict=True))
        term = facts.get("term", self._held.get(name, ("", "0"))[1])
        if taken and (name, term) in self._terms:
            self._faults.append(f"term {term} of {name} was given twice")
        self._terms.add((name, term))
        self._held[name] = (facts["owner"], term)

    def _judge(self, attempt: Attempt, delivery: Delivery) -> Iterator[str]:
        """Yield each invariant that starting `attempt` now violates."""
        blamed = time.perf_counter() > attempt.member.clock_wrong_until
        told = f"{attempt.member.name} begins attempt {attempt.number} of {self._name(delivery)}"
        if not delivery.attempts and any(later.attempts for later in self._lane(delivery, later=True)):
            yield f"{told} for the first time, after a later one"
        if _is_paused(attempt, delivery):
            yield f"{told}, which is paused"
        truth = self._look(delivery)
        self._timelines[attempt] = self._timeline
        if not truth.lease[0].endswith(f":{attempt.member.name}"):
            attempt.excused = True
            if blamed:
                yield f"{told}, but the lease is {truth.lease}"
            return
        self._leases[attempt] = truth.lease
        yield from (f"{told}, {fault}" for fault in self._judge_as_owner(attempt, delivery, truth))

    def _judge_as_owner(self, attempt: Attempt, delivery: Delivery, truth: _ExpectedState) -> Iterator[str]:
        entry_id = truth.entries.get(delivery.event.id)
        if entry_id is None and (delivery.accepted or delivery.timeline == self._timeline):
            yield "which is settled"
        least = 1 + truth.failures.get(record_name(delivery.topic, entry_id or ""), 0)
        if not least <= attempt.number <= 1 + delivery.errors:
            yield f"with {least - 1} failures on record, and {delivery.errors} in all"
        for other in self.running:
            if not other.excused and self.deliveries[other.event_id].lane == delivery.lane:
                yield f"while {other.member.name} attempts {self._name(self.deliveries[other.event_id])}"
        for earlier in self._lane(delivery, later=False):
            if earlier.event.id in truth.entries and not self._concluded(earlier, attempt):
                yield f"before {self._name(earlier)} is concluded"

    def _concluded(self, earlier: Delivery, attempt: Attempt) -> bool:
        """Whether `earlier`, though not settled, came to its end under the same lease, or before a fail-over."""
        if any(one.final and self._timelines[one] < self._timeline for one in earlier.attempts):
            return True
        last = earlier.attempts[-1] if earlier.attempts else None
        return last is not None and last.final and self._leases.get(last) == self._leases[attempt]

    def _lane(self, delivery: Delivery, *, later: bool) -> Iterator[Delivery]:
        """Yield the deliveries of the same lane after this one, or those before it."""
        passed = False
        for other in self.deliveries.values():
            if other is delivery:
                passed = True
            elif passed is later and other.lane == delivery.lane:
                yield other

    def _look(self, delivery: Delivery) -> _ExpectedState:
        partition = partition_of(delivery.event.key, PARTITIONS)
        with self._master.pipeline(transaction=True) as pipeline:
            pipeline.hmget(keys.lease(partition), "owner", "term")
            pipeline.hgetall(keys.retries(partition))
            lease, records = pipeline.execute()
        entries = topic_state(self._master, partition, delivery.topic).entries
        failures = {name.decode(): (decode_record(record) or NEVER_FAILED).failures for name, record in records.items()}
        return _ExpectedState(_lease(lease), {event: entry for entry, event in entries.items()}, failures)

    def _lease(self, partition: int) -> Lease:
        return _lease(self._master.hmget(keys.lease(partition), "owner", "term"))

    def _name(self, delivery: Delivery) -> str:
        number = list(self.deliveries).index(delivery.event.id) + 1
        return f"event {number} ({delivery.topic}, {delivery.event.key}, {delivery.script!r})"


def _is_paused(attempt: Attempt, delivery: Delivery) -> bool:
    """Whether the processor knows of a pause of the event."""
    processor, event = attempt.member.processor, delivery.event
    assert processor is not None
    return any(pause.covers(delivery.topic, event.kind, event.key) for pause in processor.pauses.active())


def _fence(words: list[str]) -> Lease | None:
    """Return the fence that a call of a script carries, after the name of the group; None if it has none."""
    owner, term = ([*words[words.index(GROUP) + 1 :], "", ""] if GROUP in words else ["", ""])[:2]
    return (owner, term) if term.isdigit() else None


def _lease(found: Any) -> Lease:
    owner, term = ((value or b"").decode() for value in found)
    return owner, term


def _misplaced(delivery: Delivery, reasons: list[str]) -> Iterator[str]:
    endings = [attempt.ended for attempt in delivery.attempts]
    if not _explained(delivery, endings, reasons):
        yield f"an event whose attempts ended {endings} is among the dead letters as {reasons}"


def _explained(delivery: Delivery, endings: list[str], reasons: list[str]) -> bool:
    match reasons:
        case []:
            return "d" in endings
        case ["dropped"]:
            return delivery.dropped
        case ["poison"]:
            return sum(attempt.excused and not attempt.ended for attempt in delivery.attempts) >= POISON_AFTER
        case [_]:
            return any(attempt.final and attempt.ended != "d" for attempt in delivery.attempts)
        case _:
            return False
