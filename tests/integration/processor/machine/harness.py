"""Several processors at once, in one process, each as `hookline_processor.app` puts it together."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final
from unittest.mock import patch

import msgspec

from hookline_processor.api.handlers import Handlers
from hookline_processor.app import Processor, build_processor
from hookline_processor.attempts.threads import Threads
from hookline_processor.settings import ProcessorSettings
from hookline_shared.lifecycle.service import Supervisor
from hookline_shared.topics import CALLS, Topic
from tests.integration.processor.machine.own_loop import OwnClock, OwnLoop
from tests.integration.processor.machine.sink import SinkLogbook

LEASE_S: Final = 0.4
MAX_ATTEMPTS: Final = 3
PARTITIONS: Final = 2
WINDOW: Final = 4
UNORDERED: Final = CALLS
URL: Final = "redis://127.0.0.1:1/0"
"""Where nothing listens: `OwnLoop` knows better."""

_SETTINGS: Final = {
    "REDIS_URL": URL,
    "HOOKLINE_PARTITIONS": str(PARTITIONS),
    "PROCESSOR_WINDOW": str(WINDOW),
    "PROCESSOR_WINDOW_MB": "1",
    "PROCESSOR_BREAKER_FAILURES": "2",
    "PROCESSOR_CONCURRENCY": "20",
    "PROCESSOR_SHUTDOWN_S": "1.2",
    "PROCESSOR_MAX_ATTEMPTS": str(MAX_ATTEMPTS),
    "PROCESSOR_BACKOFF_BASE_S": "0.02",
    "PROCESSOR_BACKOFF_MAX_S": "0.05",
}
_LINES: Final = 8
_NAP_S: Final = 0.0001
_PATIENCE_S: Final = 30.0


class StuckError(AssertionError):
    """A condition was not met."""


@dataclass(eq=False)
class Member:
    """One processor with its own event loop."""

    name: str
    loop: OwnLoop
    handlers_of: Callable[["Member"], Handlers]
    logbook: SinkLogbook = field(default_factory=SinkLogbook)
    supervisor: Supervisor | None = None
    leaving: bool = False
    clock_wrong_until: float = 0.0
    """Until when, in the test's own time, it may believe that it has what it lost, and not be blamed."""

    def __post_init__(self) -> None:
        self.clock = OwnClock(self.loop)
        self.processor: Processor | None = None
        self._leave = asyncio.Event()
        self._stopping = AsyncExitStack()
        self._life = self.loop.create_task(self._live())

    @property
    def gone(self) -> bool:
        """Whether the processor has stopped after `leave`."""
        if self.supervisor is not None and self.supervisor.failure is not None:
            raise self.supervisor.failure
        if self._life.cancelled():
            raise StuckError(f"{self.name} was cancelled from inside while it stopped")
        if self._life.done():
            self._life.result()
        return self._life.done()

    def leave(self) -> None:
        """Ask the process to stop."""
        self.leaving = True
        self._leave.set()

    def crash(self) -> None:
        """End the process at once."""
        self._stopping.pop_all()
        self.loop.end()
        self.logbook.close()

    def wake(self, *, stood_still: bool) -> None:
        """Resume the processor; if its clock stood still, it trusts its old leases for one lease time."""
        if self.loop.stopped and stood_still:
            self.excuse_for(LEASE_S)
        self.loop.go_on(stood_still=stood_still)

    def excuse_for(self, seconds: float) -> None:
        """Excuse the processor for some time, in which it cannot know that it lost a lease."""
        self.clock_wrong_until = time.perf_counter() + seconds

    async def _live(self) -> None:
        self.supervisor = Supervisor(self.logbook.logger)
        self.processor = processor = build(self.name, self.handlers_of(self), self.clock, self.logbook)
        try:
            await processor.start(self.supervisor, self._stopping)
            await self._leave.wait()
            await self._stopping.aclose()
        except asyncio.CancelledError:  # a crash: all that is left to do is to free what it held
            await processor.redis.close()
            raise
        await self.supervisor.close()


class _Nothing:
    """Stands in for the admin port, and for the watchdog, to which loops that are turned by hand look blocked."""

    def __init__(self, *_arguments: object) -> None:
        pass

    def start(self) -> "asyncio.Future[int]":
        return _done()

    def stop(self) -> "asyncio.Future[int]":
        return _done()


def _done() -> "asyncio.Future[int]":
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    done.set_result(0)
    return done


def build(name: str, handlers: Handlers, clock: OwnClock, logbook: SinkLogbook) -> Processor:
    """Put a processor together as the service does, but for its name, its admin port, and a lease too short to be allowed."""
    settings = ProcessorSettings.load(_SETTINGS)
    topics = settings.topics | {UNORDERED: Topic(weight=4, ordered=False)}
    settings = msgspec.structs.replace(settings, lease_s=LEASE_S, topics=topics)
    parts: dict[str, Any] = {"Admin": _Nothing, "Watchdog": _Nothing, "token_hex": lambda _size: name}
    with patch.multiple("hookline_processor.app", **parts):
        return build_processor(settings, handlers, Threads(1), clock, logbook.logger)


class Harness:
    """Makes processors, all of which connect to the port that `route` gives, and turns their loops, and `loops` with them.

    `handlers_of` makes the handlers of each.
    """

    def __init__(
        self, route: Callable[[], int], handlers_of: Callable[[Member], Handlers], check: Callable[[], None], *loops: OwnLoop
    ) -> None:
        self.members: list[Member] = []
        self._route = route
        self._handlers_of = handlers_of
        self._check = check
        self._loops = loops
        self._made = 0

    def join(self) -> Member:
        """Start a processor."""
        self._made += 1
        self.members.append(Member(f"p{self._made}", OwnLoop(self._route), self._handlers_of))
        return self.members[-1]

    def crash(self, member: Member) -> None:
        """Crash the processor."""
        self.members.remove(member)
        member.crash()

    def cut(self) -> None:
        """Cut all connections, which can be made again at once."""
        for loop in [*self._loops, *(member.loop for member in self.members)]:
            loop.cut()

    def turn(self) -> None:
        """Run all loops once."""
        for loop in [*self._loops, *(member.loop for member in self.members if not member.loop.stopped)]:
            loop.turn()
        for member in [member for member in self.members if member.gone]:
            self.crash(member)
        self._check()
        time.sleep(_NAP_S)

    def run(self, seconds: float) -> None:
        """Run all loops for some time."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            self.turn()

    def until(self, condition: Callable[[], bool], what: str, every: float = 0) -> None:
        """Run all loops until `condition()`, which is asked `every` so many seconds; `what` describes it."""
        deadline = time.perf_counter() + _PATIENCE_S
        while not condition():
            if time.perf_counter() > deadline:
                raise StuckError(f"waited in vain until {what}; {self._told()}")
            self.turn()
            self.run(every)

    def _told(self) -> str:
        """Return what the processors logged last."""
        return "\n".join(f"{member.name}: {member.logbook.lines[-_LINES:]}" for member in self.members)

    def until_none(self, faults: Callable[[], list[str]], every: float = 0) -> None:
        """Run all loops until there are no `faults()`."""
        found: list[str] = []

        def none() -> bool:
            found[:] = faults()
            return not found

        try:
            self.until(none, "there are no faults", every)
        except StuckError as error:
            raise StuckError("\n".join([*found, str(error)])) from error

    def close(self) -> None:
        """Stop all."""
        for member in list(self.members):
            self.crash(member)
        for loop in self._loops:
            loop.end()
