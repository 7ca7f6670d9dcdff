"""The worker slots: how many handlers run at once, and which topic is next.

Half of the slots are reserved for topics, in proportion to their weights, so that a topic always gets slots whatever the
handlers of another topic do. All topics share the other half.

Stride scheduling chooses among the topics that have work: each start advances the position of a topic by the inverse of its
weight, and the topic with the lowest position is next. A topic that had no work, or was at its limit, continues at the position
of the others, so it accumulates no turns. Source: Waldspurger and Weihl, Stride Scheduling, 1995.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextvars import copy_context
from typing import Any

from hookline_processor.attempts.unclosable import Unclosable
from hookline_processor.partition.lanes import Lane
from hookline_shared.errors import TaskDiedError
from hookline_shared.topics import Topic

Work = Coroutine[Any, Any, None]


class _Queue:
    """The ready lanes of one topic, and the number of its running lanes."""

    __slots__ = ("limit", "position", "ready", "reserved", "running", "stride")

    def __init__(self, topic: Topic, reserved: int, limit: int) -> None:
        self.ready: deque[tuple[Lane, Callable[[Lane], Work]]] = deque()
        self.running = 0
        self.reserved = reserved
        self.limit = limit
        self.stride = 1 / topic.weight
        self.position = 0.0


class Slots:
    """Runs offered lanes, at most `limit` at once, each in a task with its own context.

    Lanes of one topic run in the order in which they were offered. As many again may be overdue, which hold no slot.
    """

    def __init__(self, limit: int, topics: Mapping[str, Topic]) -> None:
        self._queues = {
            name: _Queue(topic, *_reserved_and_limit(limit, topic, topics.values())) for name, topic in topics.items()
        }
        self._shared = limit - sum(queue.reserved for queue in self._queues.values())
        self._shared_used = 0
        self._position = 0.0
        self._ready: dict[_Queue, None] = {}
        self._running: dict[asyncio.Task[None], _Queue] = {}
        self._overdue: set[asyncio.Task[None]] = set()
        self._most_overdue = limit
        self._accepting = True
        self._context = copy_context()  # without it a task would inherit the context variables of the handler that ended before
        self._loop = asyncio.get_running_loop()
        self._failure: asyncio.Future[None] = self._loop.create_future()

    def has_backlog(self) -> bool:
        """Whether offered lanes wait for a slot."""
        return bool(self._ready)

    def offer(self, lane: Lane, work: Callable[[Lane], Work]) -> None:
        """Run `work(lane)` when it is its turn."""
        queue = self._queues[lane.topic]
        if not queue.ready:
            queue.position = max(queue.position, self._position)
            self._ready[queue] = None
        queue.ready.append((lane, work))
        self._fill()

    def release_overdue(self, task: "asyncio.Task[Any]") -> None:
        """Release the slot of `task` to others, though it runs: it is past its time-out, and nobody knows when it ends.

        A plain function cannot be stopped. If there are as many overdue tasks as slots, it keeps its slot.
        """
        queue = self._running.get(task)
        if queue is None or task in self._overdue or len(self._overdue) >= self._most_overdue:
            return
        self._overdue.add(task)
        self._give_back(queue)

    async def wait_failed(self) -> None:
        """Wait until `work` raises, and raise that. It is a bug in this package: an exception of a handler is a verdict."""
        await self._failure

    def close(self) -> None:
        """Start no more work."""
        self._accepting = False
        self._failure.cancel()

    def _fill(self) -> None:
        while self._ready and self._accepting and (queue := self._next()) is not None:
            self._position = max(self._position, queue.position)
            queue.position = self._position + queue.stride
            lane, work = queue.ready.popleft()
            if not queue.ready:
                del self._ready[queue]
            self._start(queue, lane, work)

    def _next(self) -> _Queue | None:
        """Return the queue that is next, or None if no queue may start work."""
        shared_is_free = self._shared_used < self._shared
        chosen = None
        for queue in self._ready:
            if queue.running < (queue.limit if shared_is_free else queue.reserved) and (
                chosen is None or queue.position < chosen.position
            ):
                chosen = queue
        return chosen

    def _start(self, queue: _Queue, lane: Lane, work: Callable[[Lane], Work]) -> None:
        self._shared_used += queue.running >= queue.reserved
        queue.running += 1
        task = self._loop.create_task(Unclosable(work(lane)), context=self._context.copy())
        self._running[task] = queue
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        queue = self._running.pop(task)
        if not task.cancelled() and task.exception() is not None and not self._failure.done():
            self._failure.set_exception(task.exception() or TaskDiedError("handler"))
        if task in self._overdue:
            self._overdue.discard(task)
        else:
            self._give_back(queue)

    def _give_back(self, queue: _Queue) -> None:
        queue.running -= 1
        self._shared_used -= queue.running >= queue.reserved
        self._fill()


def _reserved_and_limit(limit: int, topic: Topic, topics: Iterable[Topic]) -> tuple[int, int]:
    """Return how many of `limit` slots are reserved for `topic`, one of `topics`, and the most that it may use."""
    most_slots = min(topic.concurrency or limit, limit)
    reserved = limit // 2 * topic.weight // sum(other.weight for other in topics)
    return min(reserved, most_slots), most_slots
