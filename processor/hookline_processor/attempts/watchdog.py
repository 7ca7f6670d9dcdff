"""Watching from a thread that the event loop turns, and naming the handler that keeps it from turning.

Everything waits while a handler blocks: other handlers, settling, the lease. Afterwards nothing would tell who it was, so the
thread looks at the loop's stack while it happens. It asks the loop to call back a few times a second, which is all that it
costs.
"""

import asyncio
import selectors
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from types import CodeType, FrameType
from typing import Final

from hookline_processor.api.functions import code_of
from hookline_processor.api.handlers import Handlers
from hookline_processor.metrics import BLOCKED_LOOP
from hookline_shared.observability.logs import Logger

_LIMIT_S: Final = 0.5
_SHOWN_FRAMES: Final = 8
_JOIN_S: Final = 1.0
_STOOD_STILL: Final = 2
"""So many times the limit nobody waits who looks twice within it."""
_HAS_THREAD_CLOCK: Final = hasattr(time, "pthread_getcpuclockid")  # macOS has none
_UNKNOWN: Final = "unknown"
_LOOP_FILES: Final = frozenset(
    module.__file__ for module in (asyncio.runners, asyncio.base_events, asyncio.events, selectors) if module.__file__
)
"""Where the stack is when the loop only waits, and what lies below everything that it calls."""


class _Heartbeat:
    """A call that the event loop is asked for, and what has gone by since: time, and work of the loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        self._cpu = time.pthread_getcpuclockid(thread) if _HAS_THREAD_CLOCK else time.CLOCK_PROCESS_CPUTIME_ID
        self._asked_at = time.monotonic()
        self._worked_before = time.clock_gettime(self._cpu)
        self.answered = False
        loop.call_soon_threadsafe(self._answer)

    def age(self) -> tuple[float, float]:
        """Return the seconds since it was asked, and for how many of them the loop's thread used a CPU."""
        return time.monotonic() - self._asked_at, time.clock_gettime(self._cpu) - self._worked_before

    def _answer(self) -> None:
        self.answered = True


class Watchdog:
    """Reports, once for each time, that the running event loop has not turned for `limit_s` seconds, and whose fault it is."""

    def __init__(self, handlers: Handlers, logger: Logger, limit_s: float = _LIMIT_S) -> None:
        self._handlers = handlers
        self._logger = logger
        self._limit_s = limit_s
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch the loop that this is called in."""
        arguments = (asyncio.get_running_loop(), threading.get_ident())
        self._thread = threading.Thread(target=self._run, args=arguments, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_JOIN_S)

    def _run(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        try:
            self._watch(loop, thread)
        except RuntimeError:
            if not loop.is_closed():  # nobody stopped us: the service was stopped at once
                raise

    def _watch(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        question, reported = _Heartbeat(loop, thread), False
        while not self._stopping.wait(self._limit_s / 2):
            waited_s, worked_s = question.age()
            if not reported and is_blocked(waited_s, worked_s, self._limit_s, answered=question.answered):
                self._report(sys._current_frames().get(thread), waited_s)
                reported = True
            elif question.answered or (waited_s > _STOOD_STILL * self._limit_s and not reported):
                question, reported = _Heartbeat(loop, thread), False

    def _report(self, innermost: FrameType | None, blocked_s: float) -> None:
        name, stack = find_culprit(innermost, self._names())
        if not stack:
            return
        BLOCKED_LOOP.labels(name).inc()
        self._logger.warning(
            "event loop blocked",
            handler=name,
            blocked_s=round(blocked_s, 1),
            frames=[describe(frame) for frame in reversed(stack[:_SHOWN_FRAMES])],
            remedy="all other work waits; make it a plain def, which runs in a thread, or await instead of blocking",
        )

    def _names(self) -> dict[CodeType, str]:
        return {code: name for name, function in self._handlers.functions() if (code := code_of(function)) is not None}


def is_blocked(waited_s: float, worked_s: float, limit_s: float, *, answered: bool) -> bool:
    """Whether the loop did not turn for `limit_s`, `waited_s` after it was asked to.

    If the watchdog's thread waited far longer than it meant to, it was kept from looking. Either the loop's thread worked,
    `worked_s`, in a handler that holds the interpreter's lock, as a regular expression does: for the limit without an answer,
    or half of the time, and answered before anybody looked. Or the whole process stood still, by SIGSTOP or a sleeping machine,
    which is nobody's fault.
    """
    if waited_s < limit_s:
        return False
    worked = worked_s >= (waited_s / 2 if answered else limit_s)
    return worked or not (answered or waited_s > _STOOD_STILL * limit_s)


def find_culprit(innermost: FrameType | None, names: dict[CodeType, str]) -> tuple[str, Sequence[FrameType]]:
    """Return the name of the registered function that runs, and the stack from its innermost frame to that function.

    Without any, the name is "unknown" and the stack what the event loop called; empty if that only waits.
    """
    stack = list(_outwards(innermost))
    for depth, frame in enumerate(stack):
        if frame.f_code in names:
            return names[frame.f_code], stack[: depth + 1]
    depths = (depth for depth, frame in enumerate(stack) if frame.f_code.co_filename in _LOOP_FILES)
    return _UNKNOWN, stack[: next(depths, 0)]


def describe(frame: FrameType) -> str:
    """Say where `frame` is, without any value that it holds."""
    return f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}"


def _outwards(innermost: FrameType | None) -> Iterator[FrameType]:
    frame = innermost
    while frame is not None:
        yield frame
        frame = frame.f_back
