"""The time-outs of all running attempts, on one timer.

A timer for each attempt would cost as much as the rest of the attempt. Attempts with the same time-out expire in the order in
which they began, so the first one of each queue is due first. An attempt that ends in time only leaves its queue. The timer is
not changed: it may fire without a due attempt, and is then set for the earliest running one.

The behaviour is that of `asyncio.timeout`: the task is cancelled at the deadline, and if the handler lets the cancellation
through, and there is no other cancellation, it becomes a TimeoutError. Otherwise the result of the handler counts.
"""

import asyncio
from collections.abc import Callable
from itertools import takewhile
from math import inf
from types import TracebackType
from typing import Final, Self

from hookline_processor.api.table import Handler
from hookline_shared.catalogue.webhook_event import WebhookEvent
from hookline_shared.clock import Cancellable, Clock

GRACE_S: Final = 1.0
"""The time for a cancelled handler to end before it is reported as overdue."""
_SHORTEST_TIMER_S: Final = 0.001  # the event loop rounds to milliseconds; a shorter timer would fire too early

_Queue = dict["Deadline", None]
"""Deadlines in the order in which they are due. A dict, because a deadline is removed from the middle in constant time."""


class Deadline:
    """The time-out of one attempt, a context manager around it. `timeout_s` is in seconds, `at` in monotonic seconds.

    It cancels the attempt only if that `can_be_stopped`: a thread cannot.
    """

    __slots__ = ("_cancelled", "_cancelling_before", "at", "can_be_stopped", "event", "handler", "queue", "task", "timeout_s")

    def __init__(
        self, handler: Handler, event: WebhookEvent, timeout_s: float, at: float, queue: _Queue, task: "asyncio.Task[object]"
    ) -> None:
        self.handler = handler
        self.can_be_stopped = handler.is_async
        self.event = event
        self.timeout_s = timeout_s
        self.at = at
        self.queue = queue
        self.task = task
        self._cancelling_before = task.cancelling()
        self._cancelled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the queue. Raise TimeoutError if the attempt ended by the cancellation at its deadline."""
        self.queue.pop(self, None)
        if not self._cancelled:
            return
        cancelled_by_others = self.task.uncancel() > self._cancelling_before
        if isinstance(error, asyncio.CancelledError) and not cancelled_by_others:
            raise TimeoutError from error

    def allow_stop(self) -> None:
        """Let the time-out cancel the attempt from now on: it no longer runs in a thread.

        Raises:
            TimeoutError: if it has expired.

        """
        self.can_be_stopped = True
        if self not in self.queue:
            raise TimeoutError

    def cancel(self) -> None:
        """Cancel the handler."""
        self._cancelled = True
        self.task.cancel()


class Deadlines:
    """Cancels async handlers at their time-out, and calls `overdue` for handlers that are still running.

    These are plain functions at their time-out, which cannot be stopped, and async handlers `GRACE_S` after their cancellation.
    """

    def __init__(self, clock: Clock, overdue: Callable[[Deadline], None]) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()  # asking for it costs a system call before Python 3.12
        self._overdue = overdue
        self._running: dict[float, _Queue] = {}
        self._cancelled: _Queue = {}
        self._timer_due_at = inf
        self._timer: Cancellable | None = None

    def begin(self, handler: Handler, event: WebhookEvent, timeout_s: float, now: float) -> Deadline:
        """Return the deadline of the attempt of the current task, which begins at `now`, in monotonic seconds."""
        queue = self._running.get(timeout_s)
        if queue is None:
            queue = self._running[timeout_s] = {}
        task = asyncio.current_task(self._loop)
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        deadline = Deadline(handler, event, timeout_s, now + timeout_s, queue, task)
        queue[deadline] = None
        if deadline.at < self._timer_due_at:
            self._set_timer(deadline.at, now)
        return deadline

    def _set_timer(self, at: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due_at = at
        self._timer = self._clock.call_later(max(_SHORTEST_TIMER_S, at - now), self._on_timer)

    def _on_timer(self) -> None:
        now = self._clock.monotonic()
        self._timer, self._timer_due_at = None, inf
        try:
            for queue in self._running.values():
                for deadline in _due(queue, now):
                    self._expire(deadline, now)
            for deadline in _due(self._cancelled, now):
                del self._cancelled[deadline]
                self._overdue(deadline)
        finally:
            self._set_timer_again(now)

    def _expire(self, deadline: Deadline, now: float) -> None:
        del deadline.queue[deadline]
        if not deadline.can_be_stopped:
            self._overdue(deadline)
            return
        deadline.cancel()
        deadline.at = now + GRACE_S
        deadline.queue = self._cancelled
        self._cancelled[deadline] = None

    def _set_timer_again(self, now: float) -> None:
        earliest = min((next(iter(queue)).at for queue in (*self._running.values(), self._cancelled) if queue), default=inf)
        if earliest < inf:
            self._set_timer(earliest, now)


def _due(queue: _Queue, now: float) -> list[Deadline]:
    return list(takewhile(lambda deadline: deadline.at <= now, queue))
