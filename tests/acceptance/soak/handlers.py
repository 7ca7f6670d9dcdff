"""The handlers of the soak: they write down what they are given, and do as the mood of the moment says.

The mood is the content of a file: the name that HOOKLINE_TEST_RECORD has, with `.mood` behind it.

    later       some put their event off by hours
    away        all fail, as if what they call was away
    surprise    some first attempts raise what is no `Exception`
    fork        some start a child process, and terminate it
    chatter     they write much to standard output and to the log
    (any other) they do nothing

With HOOKLINE_TEST_HANDLES=nothing there is no handler of messages.
"""

import multiprocessing
import os
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Final

from hookline import Context, Handlers, MessageReceived, RetryLater
from tests.acceptance.support.handlers.recorder import record

handlers = Handlers()

_MOOD: Final = Path(os.environ["HOOKLINE_TEST_RECORD"] + ".mood")
_FORK: Final = multiprocessing.get_context("fork")
_LONG_S: Final = 5 * 3600.0


class SurpriseError(BaseException):
    """What handlers should not raise, and do."""


_SURPRISES: Final = cycle((
    SurpriseError("a surprise"),
    GeneratorExit(),
    KeyboardInterrupt(),
    SystemExit(3),
    BaseExceptionGroup("two", [SurpriseError("one"), ValueError("another")]),
))  # fmt: skip


async def message(event: MessageReceived, context: Context) -> None:
    """Do as the mood says, and note it."""
    record(event, context, "begin")
    misbehave = _MOODS.get(mood())
    if misbehave is not None:
        misbehave(event, context)
    record(event, context, "end")


def mood() -> str:
    """Return the mood of the moment."""
    try:
        return _MOOD.read_text()
    except OSError:
        return ""


def later(event: MessageReceived, _context: Context) -> None:
    if is_one_in(5, event):
        raise RetryLater(_LONG_S)


def away(_event: MessageReceived, _context: Context) -> None:
    raise ConnectionError("the CRM is away")


def surprise(event: MessageReceived, context: Context) -> None:
    if context.attempt == 1 and is_one_in(3, event):
        raise next(_SURPRISES)


def fork(event: MessageReceived, _context: Context) -> None:
    if is_one_in(20, event):
        child = _FORK.Process(target=time.sleep, args=[60])
        child.start()
        child.terminate()
        child.join()


def chatter(_event: MessageReceived, context: Context) -> None:
    print("much to say " * 1000)
    context.logger.warning("much to say", what="as before " * 100)


def is_one_in(number: int, event: MessageReceived) -> bool:
    """Whether it is one of few events, the same each time."""
    return hash(event.message_sid) % number == 0


_MOODS: Final[dict[str, Callable[[MessageReceived, Context], None]]] = {
    one.__name__: one for one in (later, away, surprise, fork, chatter)
}

if os.environ.get("HOOKLINE_TEST_HANDLES") != "nothing":
    handlers.on("message.received", timeout=5, breaker="crm")(message)
