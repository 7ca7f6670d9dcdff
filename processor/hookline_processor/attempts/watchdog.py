"""A watchdog thread that detects a blocked event loop, and names the handler that blocks it.

While a handler blocks the loop, everything waits: other handlers, settling, the lease. Afterwards there is no trace of the
cause, so the thread inspects the stack of the loop during the block. The cost is a callback in the loop a few times a second.
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
from hookline_shared.lifecycle import event_loop
from hookline_shared.observability.logs import Logger

_LIMIT_S: Final = 0.5
_MAX_FRAMES: Final = 8
_JOIN_TIMEOUT_S: Final = 1.0
_SUSPENDED: Final = 2
"""A wait of this many limits means that the watchdog did not run either: it checks twice per limit."""
_HAS_THREAD_CLOCK: Final = hasattr(time, "pthread_getcpuclockid")  # macOS has none
_UNKNOWN: Final = "unknown"
_LOOP_FILES: Final = frozenset(
    module.__file__
    for module in (asyncio.runners, asyncio.base_events, asyncio.events, selectors, event_loop)
    if module.__file__
)
"""The files of the event loop: at the top of the stack while it waits, and below everything that it calls."""


class _Heartbeat:
    """A callback requested from the event loop, with the time and the CPU time of its thread since the request."""

    def __init__(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        self._cpu_clock = time.pthread_getcpuclockid(thread) if _HAS_THREAD_CLOCK else time.CLOCK_PROCESS_CPUTIME_ID
        self._sent_at = time.monotonic()
        self._cpu_before = time.clock_gettime(self._cpu_clock)
        self.answered = False
        loop.call_soon_threadsafe(self._answer)

    def age(self) -> tuple[float, float]:
        """Return the seconds since the request, and the CPU seconds of the thread of the loop since then."""
        return time.monotonic() - self._sent_at, time.clock_gettime(self._cpu_clock) - self._cpu_before

    def _answer(self) -> None:
        self.answered = True


class Watchdog:
    """Reports each time that the event loop is blocked for `limit_s` seconds, with the handler that blocks it."""

    def __init__(self, handlers: Handlers, logger: Logger, limit_s: float = _LIMIT_S) -> None:
        self._handlers = handlers
        self._logger = logger
        self._limit_s = limit_s
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start watching the running event loop."""
        arguments = (asyncio.get_running_loop(), threading.get_ident())
        self._thread = threading.Thread(target=self._run, args=arguments, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_JOIN_TIMEOUT_S)

    def _run(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        try:
            self._watch(loop, thread)
        except RuntimeError:
            if not loop.is_closed():  # the loop was closed without `stop`, as in an immediate exit
                raise

    def _watch(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        heartbeat, reported = _Heartbeat(loop, thread), False
        while not self._stopping.wait(self._limit_s / 2):
            waited_s, cpu_s = heartbeat.age()
            if not reported and is_blocked(waited_s, cpu_s, self._limit_s, answered=heartbeat.answered):
                self._report(sys._current_frames().get(thread), waited_s)
                reported = True
            elif heartbeat.answered or (waited_s > _SUSPENDED * self._limit_s and not reported):
                heartbeat, reported = _Heartbeat(loop, thread), False

    def _report(self, innermost: FrameType | None, blocked_s: float) -> None:
        name, stack = find_blocking_handler(innermost, self._names())
        if not stack:
            return
        BLOCKED_LOOP.labels(name).inc()
        self._logger.warning(
            "event loop blocked",
            handler=name,
            blocked_s=round(blocked_s, 1),
            frames=[describe(frame) for frame in reversed(stack[:_MAX_FRAMES])],
            remedy="all other work waits; make it a plain def, which runs in a thread, or await instead of blocking",
        )

    def _names(self) -> dict[CodeType, str]:
        return {code: name for name, function in self._handlers.functions() if (code := code_of(function)) is not None}


def is_blocked(waited_s: float, cpu_s: float, limit_s: float, *, answered: bool) -> bool:
    """Whether a handler blocked the loop for `limit_s`, by a heartbeat that was sent `waited_s` ago.

    If the watchdog itself waited far longer than planned, there are two causes. A handler may have held the interpreter lock,
    as a regular expression does. Then the loop's thread used the CPU (`cpu_s`) for at least the limit without an answer, or
    for half of the time and answered before the check. Or the whole process was suspended, by SIGSTOP or a sleeping machine,
    which is not the fault of a handler. All times are in seconds.
    """
    if waited_s < limit_s:
        return False
    worked = cpu_s >= (waited_s / 2 if answered else limit_s)
    return worked or not (answered or waited_s > _SUSPENDED * limit_s)


def find_blocking_handler(innermost: FrameType | None, names: dict[CodeType, str]) -> tuple[str, Sequence[FrameType]]:
    """Return the name of the running registered function, and the stack from the innermost frame to that function.

    If there is none, return "unknown" and the stack up to the event loop, which is empty if the loop only waits.
    """
    stack = list(_frames_outwards(innermost))
    for depth, frame in enumerate(stack):
        if frame.f_code in names:
            return names[frame.f_code], stack[: depth + 1]
    depths = (depth for depth, frame in enumerate(stack) if frame.f_code.co_filename in _LOOP_FILES)
    return _UNKNOWN, stack[: next(depths, 0)]


def describe(frame: FrameType) -> str:
    """Return the location of `frame`, without the values of variables."""
    return f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}"


def _frames_outwards(innermost: FrameType | None) -> Iterator[FrameType]:
    frame = innermost
    while frame is not None:
        yield frame
        frame = frame.f_back
