"""What can happen to several processors, step by step, and sequences of it that chance puts together."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st

from hookline_shared.topics import MESSAGES, STATUSES
from tests.support.processor.harness import LEASE_S
from tests.support.processor.system import SystemUnderTest

MOST_MEMBERS: Final = 3
KEYS: Final = ("a", "b", "d", "e")  # two of each partition
LONG_S: Final = LEASE_S * 1.5


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
