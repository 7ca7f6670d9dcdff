"""What goes wrong besides the life of processors: destinations, clocks and logs; and what operators do about it."""

from dataclasses import dataclass

from hookline_shared.streams.waiting.pauses import Pause
from tests.integration.processor.machine.harness import Member
from tests.integration.processor.machine.system import SystemUnderTest


@dataclass(frozen=True)
class Hold:
    """An operator pauses a topic, a kind, a conversation, or everything."""

    topic: str = ""
    kind: str = ""
    key: str = ""

    def take(self, system: SystemUnderTest) -> None:
        pause = Pause(id=f"{self.topic}{self.kind}{self.key}" or "all", topic=self.topic, kind=self.kind, key=self.key)
        system.ask(system.pauses.write(pause), "the pause is written")
        if pause in (system.ask(system.pauses.read(), "the pauses are known") or ()):
            system.harness.until(lambda: _all_know(system, pause), "all processors know of the pause")


@dataclass(frozen=True)
class Release:
    """All pauses end."""

    def take(self, system: SystemUnderTest) -> None:
        for pause in system.ask(system.pauses.read(), "the pauses are known") or ():
            system.ask(system.pauses.remove([pause.id]), "the pause is over")


@dataclass(frozen=True)
class RetryNow:
    """An operator wants all that waits to be attempted."""

    def take(self, system: SystemUnderTest) -> None:
        system.retry_all()


@dataclass(frozen=True)
class Drop:
    """An operator gives up the first event of each waiting lane."""

    def take(self, system: SystemUnderTest) -> None:
        for waiting, lanes in system.waiting_lanes():
            events = system.ask(system.control.describe(waiting.partition, waiting.topic, lanes), "the events are known")
            named = [one for one in events or () if one.event_id]
            for one in named:
                system.invariants.deliveries[one.event_id].dropped = True
            pairs = [(one.lane, one.entry) for one in named]
            system.ask(system.control.drop(waiting.partition, waiting.topic, pairs, "", ledger=False), "they are dropped")


@dataclass(frozen=True)
class Destination:
    """What the handlers of calls need fails, or works again."""

    fails: bool

    def take(self, system: SystemUnderTest) -> None:
        system.invariants.destination_fails = self.fails


@dataclass(frozen=True)
class ServerClock:
    """The clock of the master is set, to seconds ahead of the right time."""

    ahead_s: int

    def take(self, system: SystemUnderTest) -> None:
        system.pair.set_clock(self.ahead_s)


@dataclass(frozen=True)
class ProcessClock:
    """The clock of a processor is set, to seconds ahead of the right time."""

    number: int
    ahead_s: int

    def take(self, system: SystemUnderTest) -> None:
        if member := system.member(self.number):
            member.clock.ahead_ms = self.ahead_s * 1000


@dataclass(frozen=True)
class LogFails:
    """Nobody reads the log of a processor any more, or its reader is gone."""

    number: int
    closed: bool

    def take(self, system: SystemUnderTest) -> None:
        if member := system.member(self.number):
            member.logbook.hang_up() if self.closed else member.logbook.fill()


def _all_know(system: SystemUnderTest, pause: Pause) -> bool:
    """Whether all processors that can have heard of a pause."""
    return all(_knows(member, pause) for member in system.harness.members if not member.loop.stopped and member.loop.linked)


def _knows(member: Member, pause: Pause) -> bool:
    return member.leaving or (member.processor is not None and pause in member.processor.pauses.active())
