"""Group commit: while one batch is on its way to Redis, the next one gathers; no timer is involved.

A lone event is written at once, and under load the batches grow by themselves to whatever arrives during one round trip.
"""

import asyncio
from collections.abc import Callable, Sequence

from aiojobs import Job

from ingress.metrics import BATCH_EVENTS
from shared.broker.append import Appended, Appender
from shared.errors import BrokerUnavailableError
from shared.event import Event
from shared.service import Supervisor

_Waiting = tuple[str, Event, asyncio.Future[Appended]]


class Writer:
    """Writes events durably, in the order in which they come, once `ready` says so.

    `budget_s` is the longest a batch may take, in seconds.
    """

    def __init__(self, appender: Appender, ready: Callable[[], bool], budget_s: float) -> None:
        self._appender = appender
        self._ready = ready
        self._budget_s = budget_s
        self._waiting: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()  # kept: asking for it is a system call before Python 3.12
        self._job: Job[None] | None = None

    async def start(self, supervisor: Supervisor) -> None:
        """Begin to write."""
        self._job = await supervisor.spawn("writer", self._run())

    async def stop(self) -> None:
        """Stop, once nothing waits any more: whoever called `write` must have been answered before."""
        if self._job is not None:
            await self._job.close()

    async def write(self, topic: str, event: Event) -> Appended:
        """Write `event` to `topic`; returns once Redis has it, knew it already, or has no room.

        Raises:
            BrokerUnavailableError: if Redis did not confirm it in time. It may be there all the same.

        """
        if not self._ready():
            raise BrokerUnavailableError("Redis has not been reached yet, so nothing can be written.")
        written: asyncio.Future[Appended] = self._loop.create_future()
        self._waiting.append((topic, event, written))
        self._wake.set()
        return await written

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await self._write_batch()
            if not self._waiting:
                self._wake.clear()

    async def _write_batch(self) -> None:
        batch, self._waiting = self._waiting, []
        BATCH_EVENTS.observe(len(batch))
        try:
            results = await self._appender.append([(topic, event) for topic, event, _ in batch], self._budget_s)
        except BaseException:
            self._fail(batch, "The writer stopped.")
            self._fail_waiting("The writer stopped.")
            raise
        failed = [result for result in results if isinstance(result, BrokerUnavailableError)]
        for waiting, result in zip(batch, results, strict=True):
            if isinstance(result, BrokerUnavailableError):
                self._fail([waiting], str(result))
            elif not waiting[2].done():
                waiting[2].set_result(result)
        if len(failed) == len(results):
            self._fail_waiting(str(failed[0]))

    def _fail_waiting(self, reason: str) -> None:
        """Fail all that gathered behind a failed batch: they have waited as long, and would fare no better."""
        waiting, self._waiting = self._waiting, []
        self._fail(waiting, reason)

    def _fail(self, batch: Sequence[_Waiting], reason: str) -> None:
        for _, _, written in batch:
            if not written.done():
                written.set_exception(BrokerUnavailableError(reason))
