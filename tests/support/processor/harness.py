"""Several processors at once, in one process, each as `hookline_processor.app` puts it together, and what their handlers do.

Handlers do what the event's script says, a letter for each attempt, whoever makes it:

    d  done
    e  an error
    r  Reject
    l  RetryLater
    p  wait until the test says which of the others it is

An attempt for which there is no letter is done.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from unittest.mock import patch

from hookline_processor.api.context import Context
from hookline_processor.api.handlers import Handlers
from hookline_processor.app import Processor, build_processor
from hookline_processor.attempts.threads import Threads
from hookline_processor.events.webhook_event import WebhookEvent
from hookline_processor.settings import ProcessorSettings
from hookline_processor.verdicts import Reject, RetryLater
from hookline_shared.lifecycle.service import Supervisor
from tests.support.observability.logbook import Logbook
from tests.support.processor.own_loop import OwnClock, OwnLoop

LEASE_S: Final = 0.4
PARTITIONS: Final = 2
MAX_ATTEMPTS: Final = 3
URL: Final = "redis://127.0.0.1:1/0"
"""Where nothing listens: `OwnLoop` knows better."""

_SETTINGS: Final = {
    "REDIS_URL": URL,
    "HOOKLINE_PARTITIONS": str(PARTITIONS),
    "PROCESSOR_WINDOW": "4",
    "PROCESSOR_CONCURRENCY": "20",
    "PROCESSOR_SHUTDOWN_S": "1.2",
    "PROCESSOR_MAX_ATTEMPTS": str(MAX_ATTEMPTS),
    "PROCESSOR_BACKOFF_BASE_S": "0.02",
    "PROCESSOR_BACKOFF_MAX_S": "0.05",
}
_NAP_S: Final = 0.0001
_PATIENCE_S: Final = 10.0


class StuckError(AssertionError):
    """A condition was not met."""


@dataclass(eq=False)
class Attempt:
    """An attempt of the event with the id `event_id` by `member`; `ended` is the letter for how, empty while it has not."""

    member: "Member"
    event_id: str
    number: int
    said: "asyncio.Future[str]"
    ended: str = ""
    excused: bool = False
    """Whether its processor had lost touch since, so that another one may have begun the same."""

    @property
    def final(self) -> bool:
        """Whether nothing more is to be attempted after it."""
        return self.ended in ("d", "r") or (self.ended == "e" and self.number >= MAX_ATTEMPTS)


class Watcher(Protocol):
    """Receives the attempts."""

    def begun(self, attempt: Attempt) -> str:
        """Record the start of the attempt; return the letter of the script."""
        ...

    def ended(self, attempt: Attempt) -> None:
        """Record its end; a withdrawn attempt has no letter."""
        ...


@dataclass(eq=False)
class Member:
    """One processor with its own event loop."""

    name: str
    loop: OwnLoop
    watcher: Watcher
    logbook: Logbook = field(default_factory=Logbook)
    supervisor: Supervisor | None = None
    leaving: bool = False
    clock_wrong_until: float = 0.0
    """Until when, in the test's own time, it may believe that it has what it lost, and not be blamed."""

    def __post_init__(self) -> None:
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
        processor = build(self.name, self._handlers(), OwnClock(self.loop), self.logbook)
        try:
            await processor.start(self.supervisor, self._stopping)
            await self._leave.wait()
            await self._stopping.aclose()
        except asyncio.CancelledError:  # a crash: all that is left to do is to free what it held
            await processor.redis.close()
            raise
        await self.supervisor.close()

    def _handlers(self) -> Handlers:
        handlers = Handlers()
        handlers.on("*")(self._handle)
        return handlers

    async def _handle(self, event: WebhookEvent, context: Context) -> None:
        attempt = Attempt(self, event.id, context.attempt, self.loop.create_future())
        try:
            attempt.ended = await self._outcome(attempt)
        finally:
            self.watcher.ended(attempt)
        match attempt.ended:
            case "e":
                raise ValueError("as the script says")
            case "r":
                raise Reject("as the script says")
            case "l":
                raise RetryLater(0)

    async def _outcome(self, attempt: Attempt) -> str:
        letter = self.watcher.begun(attempt)
        return await attempt.said if letter == "p" else letter


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


def build(name: str, handlers: Handlers, clock: OwnClock, logbook: Logbook) -> Processor:
    """Put a processor together as the service does, but for its name, its admin port, and a lease too short to be allowed."""
    settings = ProcessorSettings.model_validate(_SETTINGS).model_copy(update={"lease_s": LEASE_S})
    parts: dict[str, Any] = {"Admin": _Nothing, "Watchdog": _Nothing, "token_hex": lambda _size: name}
    with patch.multiple("hookline_processor.app", **parts):
        return build_processor(settings, handlers, Threads(1), clock, logbook.logger)


class Harness:
    """Makes processors, all of which connect to the port that `route` gives, and turns their loops. `watcher` is told of all.

    `loops` are turned with them.
    """

    def __init__(self, route: Callable[[], int], watcher: Watcher, check: Callable[[], None], *loops: OwnLoop) -> None:
        self.members: list[Member] = []
        self._route = route
        self._watcher = watcher
        self._check = check
        self._loops = loops
        self._made = 0

    def join(self) -> Member:
        """Start a processor."""
        self._made += 1
        self.members.append(Member(f"p{self._made}", OwnLoop(self._route), self._watcher))
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

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Run all loops until `condition()`; `what` describes it."""
        deadline = time.perf_counter() + _PATIENCE_S
        while not condition():
            if time.perf_counter() > deadline:
                raise StuckError(f"waited in vain until {what}")
            self.turn()

    def close(self) -> None:
        """Stop all."""
        for member in list(self.members):
            self.crash(member)
        for loop in self._loops:
            loop.end()
