"""The worker slots: how many handlers run at once, and whose turn is next."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from contextvars import copy_context

from processor.lanes import Lane
from shared.clock import Cancellable, Clock
from shared.errors import TaskDiedError

Work = Coroutine[object, object, None]


class Slots:
    """Runs offered lanes, first come first served, at most `limit` at once, each in a task with a context of its own."""

    def __init__(self, limit: int, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._ready: deque[tuple[Lane, Callable[[Lane], Work]]] = deque()
        self._timers: dict[Lane, Cancellable] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._accepting = True
        self._context = copy_context()  # else a task would inherit the variables of the handler that happened to end before it
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def retrying(self) -> Counter[str]:
        """Give, by topic, how many lanes wait for the time of a retry."""
        return Counter(lane.name[0] for lane in self._timers)

    def offer(self, lane: Lane, at_ms: int, work: Callable[[Lane], Work]) -> None:
        """Run `work(lane)` in the next free slot, but not before Unix time `at_ms`."""
        delay_ms = at_ms - self._clock.now_ms() if at_ms else 0
        if delay_ms > 0:
            self._timers[lane] = self._clock.call_later(delay_ms / 1000, lambda: self._due(lane, work))
        else:
            self._ready.append((lane, work))
            self._fill()

    async def watch(self) -> None:
        """Wait for ever; raises if a piece of work did, which is a mistake of ours: whatever a handler raises is a verdict."""
        await self._broken

    def close(self) -> None:
        """Start nothing more."""
        self._accepting = False
        for timer in self._timers.values():
            timer.cancel()
        self._broken.cancel()

    def _due(self, lane: Lane, work: Callable[[Lane], Work]) -> None:
        del self._timers[lane]
        self._ready.append((lane, work))
        self._fill()

    def _fill(self) -> None:
        loop = asyncio.get_running_loop()
        while self._accepting and self._ready and len(self._running) < self._limit:
            lane, work = self._ready.popleft()
            task = loop.create_task(work(lane), context=self._context.copy())
            self._running.add(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None and not self._broken.done():
            self._broken.set_exception(task.exception() or TaskDiedError("handler"))
        self._fill()
