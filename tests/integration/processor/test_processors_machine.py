"""Several processors share the partitions, and everything that can happen to them does, in sequences that nobody thought of.

`HOOKLINE_TEST_EXAMPLES=200` tries that many other sequences, instead of the same few each time.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookline_shared.redis.durability import Durability
from hookline_shared.redis.manager import RedisConnectionManager
from hookline_shared.redis.options import RedisOptions
from hookline_shared.streams.append import Appended, Appender
from hookline_shared.topics import MESSAGES, STATUSES
from tests.support.observability.logbook import Logbook
from tests.support.processor.events import event
from tests.support.processor.harness import LEASE_S, PARTITIONS, URL, Harness, Member
from tests.support.processor.invariants import Invariants
from tests.support.processor.own_loop import OwnClock, OwnLoop
from tests.support.servers.command_log import CommandLog
from tests.support.servers.redis_pair import RedisPair
from tests.support.storage.keys import keys

EXAMPLES: Final = int(os.environ.get("HOOKLINE_TEST_EXAMPLES", "0"))
MOST_MEMBERS: Final = 3
KEYS: Final = ("a", "b", "d", "e")  # two of each partition
TOPICS: Final = (MESSAGES, STATUSES)
LONG_S: Final = LEASE_S * 1.5
NEVER: Final = 1_000_000


class SystemUnderTest:
    """Redis, the processors, and who delivers to them."""

    def __init__(self, pair: RedisPair, durability: Durability) -> None:
        pair.reset()
        self.pair = pair
        self.invariants = Invariants(pair.master)
        self.log = CommandLog(pair.master)
        self.invariants.begin_timeline(pair.master)
        self._ingress = OwnLoop(lambda: pair.port)
        self.harness = Harness(lambda: pair.port, self.invariants, self.invariants.check, self._ingress)
        self._durability = durability
        self._redis = self._ingress.run_until_complete(self._connect())
        self._appender = Appender(self._redis, PARTITIONS, dedupe_window_s=3600, backlog_limit=NEVER)

    async def _connect(self) -> RedisConnectionManager:
        options = RedisOptions(url=URL, breaker_failures=NEVER)
        return RedisConnectionManager(options, PARTITIONS, OwnClock(self._ingress), Logbook().logger, self._durability)

    def deliver(self, topic: str, key: str, script: str) -> None:
        """Append an event as ingress does, and note whether it counts as accepted."""
        one = event(key=key)
        delivery = self.invariants.offered(topic, one, script)
        timeout_s = 0.2 if self._durability is Durability.REPLICA else 5.0
        appending = self._ingress.create_task(self._appender.append([(topic, one)], timeout_s))
        self.harness.until(appending.done, "an event is delivered")
        delivery.accepted = appending.result() == [Appended.NEW]

    def member(self, number: int, suits: Callable[[Member], bool] = lambda _member: True) -> Member | None:
        """Return one of those that suit, if there are any."""
        suitable = [member for member in self.harness.members if suits(member)]
        return suitable[number % len(suitable)] if suitable else None

    def fail_over(self) -> None:
        """Make the replica the master."""
        self.invariants.review(self.log.calls())
        self.log.close()
        self.pair.fail_over()
        self.log = CommandLog(self.pair.master)
        self.invariants.begin_timeline(self.pair.master)
        self.harness.cut()
        for member in self.harness.members:
            member.excuse_for(LEASE_S)

    def finish(self) -> None:
        """Let everything come to its end, and look whether all is as it should be."""
        self.invariants.hurry = True
        self.pair.catch_up()
        for member in self.harness.members:
            member.loop.linked = True
            member.wake(stood_still=False)
        if not any(not member.leaving for member in self.harness.members):
            self.harness.join()
        for attempt in self.invariants.waiting_attempts():
            attempt.said.set_result("d")
        self.harness.until(self.settled, "every event is settled")
        for member in self.harness.members:
            member.leave()
        self.harness.until(lambda: not self.harness.members, "all have left")
        self.invariants.review(self.log.calls())
        self.invariants.conclude()

    def settled(self) -> bool:
        """Whether nothing is running, and nothing left in Redis."""
        if self.invariants.running:
            return False
        streams = [keys.topic(partition, topic) for partition in range(PARTITIONS) for topic in TOPICS]
        return not any(self.pair.master.xlen(stream) for stream in streams)

    def close(self) -> None:
        """Stop all."""
        self._ingress.run_until_complete(self._redis.close())
        self.harness.close()
        self.log.close()


@dataclass(frozen=True)
class Deliver:
    """An event arrives."""

    key: str
    script: str = ""
    topic: str = MESSAGES

    def take(self, system: SystemUnderTest) -> None:
        system.deliver(self.topic, self.key, self.script)


@dataclass(frozen=True)
class End:
    """A handler that waits ends as the letter says."""

    number: int
    letter: str

    def take(self, system: SystemUnderTest) -> None:
        if waiting_attempts := system.invariants.waiting_attempts():
            waiting_attempts[self.number % len(waiting_attempts)].said.set_result(self.letter)


@dataclass(frozen=True)
class EndAll:
    """All handlers that wait end so."""

    letter: str

    def take(self, system: SystemUnderTest) -> None:
        for attempt in system.invariants.waiting_attempts():
            attempt.said.set_result(self.letter)


@dataclass(frozen=True)
class Join:
    """Another processor starts."""

    def take(self, system: SystemUnderTest) -> None:
        if len(system.harness.members) < MOST_MEMBERS:
            system.harness.join()


@dataclass(frozen=True)
class Leave:
    """A processor is told to stop."""

    number: int

    def take(self, system: SystemUnderTest) -> None:
        if member := system.member(self.number):
            member.leave()


@dataclass(frozen=True)
class Crash:
    """A processor vanishes."""

    number: int

    def take(self, system: SystemUnderTest) -> None:
        if member := system.member(self.number):
            system.invariants.excuse(member)
            system.harness.crash(member)


@dataclass(frozen=True)
class Stall:
    """A processor stands still."""

    number: int

    def take(self, system: SystemUnderTest) -> None:
        if member := system.member(self.number, lambda member: not member.loop.stopped):
            system.invariants.excuse(member)
            member.loop.halt()


@dataclass(frozen=True)
class Wake:
    """It goes on; `stood_still` tells whether its clock did not."""

    number: int
    stood_still: bool

    def take(self, system: SystemUnderTest) -> None:
        if member := system.member(self.number, lambda member: member.loop.stopped):
            member.wake(stood_still=self.stood_still)


@dataclass(frozen=True)
class CutOff:
    """A processor can no longer reach Redis."""

    number: int

    def take(self, system: SystemUnderTest) -> None:
        if member := system.member(self.number, lambda member: member.loop.linked):
            system.invariants.excuse(member)
            member.loop.linked = False
            member.loop.cut()


@dataclass(frozen=True)
class Link:
    """It can again."""

    number: int

    def take(self, system: SystemUnderTest) -> None:
        if member := system.member(self.number, lambda member: not member.loop.linked):
            member.loop.linked = True


@dataclass(frozen=True)
class Pass:
    """Some time passes."""

    seconds: float

    def take(self, system: SystemUnderTest) -> None:
        system.harness.run(self.seconds)


@dataclass(frozen=True)
class Turn:
    """Every loop turns so often: too short a time to be told in seconds."""

    times: int

    def take(self, system: SystemUnderTest) -> None:
        for _ in range(self.times):
            system.harness.turn()


@dataclass(frozen=True)
class FallBehind:
    """The replica no longer follows."""

    def take(self, system: SystemUnderTest) -> None:
        system.pair.fall_behind()


@dataclass(frozen=True)
class CatchUp:
    """The replica follows again."""

    def take(self, system: SystemUnderTest) -> None:
        system.pair.catch_up()


@dataclass(frozen=True)
class FailOver:
    """The replica becomes the master, as it is."""

    def take(self, system: SystemUnderTest) -> None:
        system.fail_over()


Step = (
    Deliver | End | EndAll | Join | Leave | Crash | Stall | Wake | CutOff | Link | Pass | Turn | FallBehind | CatchUp | FailOver
)

number = st.integers(0, MOST_MEMBERS - 1)
topic = st.sampled_from([MESSAGES, MESSAGES, STATUSES])
script = st.sampled_from(["", "", "p", "pp", "ppp", "e", "ep", "eee", "pe", "r", "pr", "l", "lp"])
deliver = st.builds(Deliver, st.sampled_from(KEYS), script, topic)
end = st.builds(End, number, st.sampled_from("derl"))
passing = st.builds(Pass, st.sampled_from([0.01, 0.05, 0.2, LONG_S]))
join, leave, crash, cut_off = st.builds(Join), st.builds(Leave, number), st.builds(Crash, number), st.builds(CutOff, number)
stall, wake, link = st.builds(Stall, number), st.builds(Wake, number, st.booleans()), st.builds(Link, number)
fail_over: st.SearchStrategy[Step] = st.sampled_from([FallBehind(), CatchUp(), FailOver()])
common = deliver | deliver | deliver | end | join | leave | crash | passing


def chapters(single: st.SearchStrategy[Step]) -> st.SearchStrategy[list[Step]]:
    """Return sequences of single steps, and of longer ones that hang together and chance would seldom put so."""
    some = st.lists(single, max_size=3).map(tuple)
    busy = st.lists(deliver, min_size=1, max_size=3).map(lambda delivered: (*delivered, Pass(0.02)))
    after = st.tuples(join, some, st.just(Pass(LONG_S)), st.builds(EndAll, st.sampled_from("dder")) | end, some)
    absence = st.tuples(busy, stall, after, wake, some)
    isolation = st.tuples(busy, cut_off, after, link, some)
    parted = st.lists(st.tuples(single) | st.tuples(single) | absence | isolation, min_size=2, max_size=6)
    return st.tuples(st.lists(join, max_size=2).map(tuple), some, parted.map(tuple)).map(lambda parts: list(_flat(parts)))


def _flat(parts: Iterable[Any]) -> Iterator[Step]:
    for part in parts:
        yield from _flat(part) if isinstance(part, tuple) else (part,)


GOES_ON, STOOD_STILL = False, True
LATE: Final = (Stall(0), Join(), Pass(LONG_S))
"""The only processor stands still, and another one takes over."""
KNOWN: Final[dict[str, Sequence[Step]]] = {
    "crash": [Deliver("a", "p"), Deliver("a"), Pass(0.05), Crash(0), Join()],
    "late settlement": [Deliver("a", "pp"), Pass(0.05), *LATE, End(0, "d"), Wake(0, STOOD_STILL), Pass(0.05)],
    "late failure": [Deliver("a", "pp"), Pass(0.05), *LATE, End(0, "e"), Wake(0, STOOD_STILL), Pass(0.05)],
    "late death": [Deliver("a", "pp"), Pass(0.05), *LATE, End(0, "r"), Wake(0, STOOD_STILL), Pass(0.05)],
    "late read": [*LATE, Stall(0), Deliver("d"), Wake(0, STOOD_STILL), Pass(0.02)],
    "late attempt": [Deliver("a", "pp"), Deliver("a"), Pass(0.05), *LATE, End(0, "d"), Wake(0, GOES_ON), Pass(0.05)],
    "lost while leaving": [Deliver("a", "pp"), Pass(0.05), Leave(0), *LATE, Wake(0, STOOD_STILL), Pass(0.05)],
}
"""Sequences that go wrong if one of the precautions is missing, each."""
RETURNED: Final = (Crash(1), FailOver())
"""The one that took over is gone, and Redis no longer knows that it ever did."""
KNOWN_FAIL_OVERS: Final[dict[str, Sequence[Step]]] = {
    "term again": [Join(), FallBehind(), Deliver("a"), Pass(0.2), FailOver(), Pass(0.2)],
    "refused and returned": [
        *(Deliver("a", "pp"), Deliver("a"), Pass(0.05), FallBehind(), *LATE),
        *(End(0, "r"), Wake(0, STOOD_STILL), Turn(8), *RETURNED),
    ],
}


@pytest.fixture(scope="module")
def pair() -> Iterator[RedisPair]:
    """Yield a master and a replica."""
    with RedisPair() as pair:
        yield pair


@contextmanager
def system(pair: RedisPair, durability: Durability) -> Iterator[SystemUnderTest]:
    """Yield a system with one processor that is at work."""
    made = SystemUnderTest(pair, durability)
    try:
        made.harness.join()
        made.deliver(MESSAGES, "a", "")
        made.harness.until(made.settled, "the first processor is at work")
        pair.wait_in_step()
        yield made
    finally:
        made.close()


def play(pair: RedisPair, durability: Durability, taken: Sequence[Step]) -> None:
    with system(pair, durability) as made:
        for step in taken:
            step.take(made)
            made.harness.turn()
        made.finish()


@pytest.mark.parametrize("taken", KNOWN.values(), ids=KNOWN)
def test_known_sequence(pair: RedisPair, taken: Sequence[Step]) -> None:
    """What each precaution is for."""
    play(pair, Durability.MEMORY, taken)


@pytest.mark.parametrize("taken", KNOWN_FAIL_OVERS.values(), ids=KNOWN_FAIL_OVERS)
def test_known_sequence_with_fail_overs(pair: RedisPair, taken: Sequence[Step]) -> None:
    """What a processor believes may have become true again."""
    play(pair, Durability.REPLICA, taken)


@settings(max_examples=EXAMPLES or 4, derandomize=not EXAMPLES, database=None, print_blob=False)
@given(chapters(common | stall | wake | cut_off | link))
def test_any_sequence(pair: RedisPair, taken: list[Step]) -> None:
    """Each event is settled exactly once, in order, by the owner of its partition, whatever happens to the processors."""
    play(pair, Durability.MEMORY, taken)


@settings(max_examples=EXAMPLES or 2, derandomize=not EXAMPLES, database=None, print_blob=False)
@given(chapters(common | stall | wake | fail_over | fail_over))
def test_any_sequence_with_fail_overs(pair: RedisPair, taken: list[Step]) -> None:
    """The same, when Redis itself falls back to an older state; only what a replica had counts as accepted."""
    play(pair, Durability.REPLICA, taken)
