"""What can happen to events and processors, one step at a time. `faults.py` has what else goes wrong."""

from dataclasses import dataclass

from hookline_shared.topics import MESSAGES
from tests.integration.processor.machine.scripted_handlers import MESSAGE
from tests.integration.processor.machine.system import MOST_MEMBERS, SystemUnderTest

HUGE: int = 700_000
"""Bytes of a huge body: two of them are more than a processor may have in memory."""


@dataclass(frozen=True)
class Deliver:
    """An event arrives."""

    key: str
    script: str = ""
    topic: str = MESSAGES
    kind: str = MESSAGE
    size: int = 10

    def take(self, system: SystemUnderTest) -> None:
        system.deliver(self.topic, self.key, self.script, self.kind, self.size)


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
