"""Handlers that do what the event's script says, a letter for each attempt, whoever makes it:

    d  done
    e  an error
    r  Reject
    l  RetryLater
    L  RetryLater, for some hours
    b  an exception that is no `Exception`
    g  GeneratorExit
    x  a BaseExceptionGroup
    k  KeyboardInterrupt
    s  SystemExit
    p  wait until the test says which of the others it is

An attempt for which there is no letter is done. Events of the kind `CALL` go to a destination with a breaker.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from hookline_processor.api.context import Context
from hookline_processor.api.handlers import Handlers
from hookline_processor.verdicts import Reject, RetryLater
from hookline_shared.catalogue.webhook_event import WebhookEvent
from tests.integration.processor.machine.harness import MAX_ATTEMPTS, Member

MESSAGE: Final = "message.received"
CALL: Final = "call.status"
LONG_S: Final = 3 * 3600.0
FAILURES: Final = "ebgxks"
"""The letters of failed attempts."""


class SurpriseError(BaseException):
    """What handlers should not raise, and do."""


_EXCEPTIONS: Final[dict[str, Callable[[], BaseException]]] = {
    "e": lambda: ValueError("as the script says"),
    "r": lambda: Reject("as the script says"),
    "l": lambda: RetryLater(0),
    "L": lambda: RetryLater(LONG_S),
    "b": lambda: SurpriseError("as the script says"),
    "g": lambda: GeneratorExit("as the script says"),
    "x": lambda: BaseExceptionGroup("as the script says", [SurpriseError("one"), ValueError("another")]),
    "k": lambda: KeyboardInterrupt("as the script says"),
    "s": lambda: SystemExit("as the script says"),
}


@dataclass(eq=False)
class Attempt:
    """An attempt of the event with the id `event_id` by `member`; `ended` is the letter for how, empty while it has not."""

    member: Member
    event_id: str
    number: int
    said: "asyncio.Future[str]"
    ended: str = ""
    excused: bool = False
    """Whether its processor had lost touch since, so that another one may have begun the same."""

    @property
    def failed(self) -> bool:
        """Whether it counts as a failure."""
        return self.ended != "" and self.ended in FAILURES

    @property
    def final(self) -> bool:
        """Whether nothing more is to be attempted after it."""
        return self.ended in ("d", "r") or (self.failed and self.number >= MAX_ATTEMPTS)


class Watcher(Protocol):
    """Receives the attempts."""

    def begun(self, attempt: Attempt) -> str:
        """Record the start of the attempt; return the letter of the script."""
        ...

    def ended(self, attempt: Attempt) -> None:
        """Record its end; a withdrawn attempt has no letter."""
        ...


def scripted_handlers(member: Member, watcher: Watcher) -> Handlers:
    """Return the handlers of `member`."""
    handlers = Handlers()

    async def handle(event: WebhookEvent, context: Context) -> None:
        attempt = Attempt(member, event.id, context.attempt, member.loop.create_future())
        try:
            letter = watcher.begun(attempt)
            attempt.ended = await attempt.said if letter == "p" else letter
        finally:
            watcher.ended(attempt)
        if attempt.ended in _EXCEPTIONS:
            raise _EXCEPTIONS[attempt.ended]()

    handlers.on("*")(handle)
    handlers.on(CALL, breaker="crm")(handle)
    return handlers
