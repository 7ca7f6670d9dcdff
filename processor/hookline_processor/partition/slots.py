"""The worker slots: how many handlers run at once, and whose turn is next.

Half of the slots are kept for the topics, in proportion to their weights, so that a topic finds some free whatever the handlers
of another do. The other half is for whoever has work.

Whose turn it is, among the topics that have work, is decided by stride scheduling: each start moves a topic on by the inverse
of its weight, and the one that is least far comes next. A topic that had no work, or was held back by its limit, joins where
the others are: it saves up no turns, and waits for none. Source: Waldspurger and Weihl, Stride Scheduling, 1995.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextvars import copy_context

from hookline_processor.partition.lanes import Lane
from hookline_shared.clock import Cancellable, Clock
from hookline_shared.errors import TaskDiedError
from hookline_shared.topics import Topic

Work = Coroutine[object, object, None]


class _Queue:
    """The lanes of one topic that are ready, and how many of its lanes are running."""

    __slots__ = ("kept", "limit", "position", "ready", "running", "stride")

    def __init__(self, topic: Topic, kept: int, limit: int) -> None:
        self.ready: deque[tuple[Lane, Callable[[Lane], Work]]] = deque()
        self.running = 0
        self.kept = kept
        self.limit = limit
        self.stride = 1 / topic.weight
        self.position = 0.0


class Slots:
    """Runs offered lanes, at most `limit` at once, each in a task with a context of its own.

    Within a topic they are run in the order in which they were offered.
    """

    def __init__(self, limit: int, topics: Mapping[str, Topic], clock: Clock) -> None:
        self._clock = clock
        self._queues = {name: _Queue(topic, *_shares(limit, topic, topics.values())) for name, topic in topics.items()}
        self._common = limit - sum(queue.kept for queue in self._queues.values())
        self._common_used = 0
        self._position = 0.0
        self._timers: dict[Lane, Cancellable] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._accepting = True
        self._context = copy_context()  # else a task would inherit the variables of the handler that happened to end before it
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def retrying(self) -> Counter[str]:
        """Give, by topic, how many lanes wait for the time of a retry."""
        return Counter(lane.topic for lane in self._timers)

    def offer(self, lane: Lane, at_ms: int, work: Callable[[Lane], Work]) -> None:
        """Run `work(lane)` when it is its turn, but not before Unix time `at_ms`."""
        delay_ms = at_ms - self._clock.now_ms() if at_ms else 0
        if delay_ms > 0:
            self._timers[lane] = self._clock.call_later(delay_ms / 1000, lambda: self._due(lane, work))
        else:
            self._line_up(lane, work)

    def forget(self, lanes: Iterable[Lane]) -> None:
        """Wait no more for the time of a retry of `lanes`."""
        for lane in lanes:
            if timer := self._timers.pop(lane, None):
                timer.cancel()

    async def watch(self) -> None:
        """Wait for ever; raises if a piece of work did, which is a mistake of ours: whatever a handler raises is a verdict."""
        await self._broken

    def close(self) -> None:
        """Start nothing more."""
        self._accepting = False
        self.forget(list(self._timers))
        self._broken.cancel()

    def _due(self, lane: Lane, work: Callable[[Lane], Work]) -> None:
        del self._timers[lane]
        self._line_up(lane, work)

    def _line_up(self, lane: Lane, work: Callable[[Lane], Work]) -> None:
        queue = self._queues[lane.topic]
        if not queue.ready:
            queue.position = max(queue.position, self._position)
        queue.ready.append((lane, work))
        self._fill()

    def _fill(self) -> None:
        while self._accepting and (queue := self._next()) is not None:
            self._position = max(self._position, queue.position)
            queue.position = self._position + queue.stride
            self._start(queue, *queue.ready.popleft())

    def _next(self) -> _Queue | None:
        """Return the queue whose turn it is, None if none may start anything."""
        common_is_free = self._common_used < self._common
        found = None
        for queue in self._queues.values():
            if (
                queue.ready
                and queue.running < (queue.limit if common_is_free else queue.kept)
                and (found is None or queue.position < found.position)
            ):
                found = queue
        return found

    def _start(self, queue: _Queue, lane: Lane, work: Callable[[Lane], Work]) -> None:
        self._common_used += queue.running >= queue.kept
        queue.running += 1
        task = asyncio.get_running_loop().create_task(work(lane), context=self._context.copy())
        self._running.add(task)
        task.add_done_callback(lambda task: self._finished(queue, task))

    def _finished(self, queue: _Queue, task: asyncio.Task[None]) -> None:
        queue.running -= 1
        self._common_used -= queue.running >= queue.kept
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None and not self._broken.done():
            self._broken.set_exception(task.exception() or TaskDiedError("handler"))
        self._fill()


def _shares(limit: int, topic: Topic, topics: Iterable[Topic]) -> tuple[int, int]:
    """Return how many of `limit` slots are kept for `topic`, one of `topics`, and how many it may have at most."""
    most = min(topic.concurrency or limit, limit)
    kept = limit // 2 * topic.weight // sum(one.weight for one in topics)
    return min(kept, most), most
