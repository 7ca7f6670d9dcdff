"""Long work that an operator began: it goes on when the tab is closed, and every page shows how far it is.

A job is in the memory of the console. If the console dies, the job ends where it is, with everything it has done confirmed by
Redis: the rest is as it was, and starting the same action again goes on with it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from secrets import token_hex
from typing import Final

from hookline_cli.audit import AuditLog, Deed
from hookline_shared.clock import Clock
from hookline_shared.errors import HooklineError
from hookline_shared.observability.logs import Logger

_KEPT: Final = 50


class Job:
    """Work on `total` items. `outcome` says what came of it, empty while it runs."""

    def __init__(self, deed: Deed, total: int, began_ms: int) -> None:
        self.id = token_hex(8)
        self.deed = deed
        self.total = total
        self.done = 0
        self.began_ms = began_ms
        self.outcome = ""
        self.failed = False
        self.stop = asyncio.Event()

    def advance(self, number: int) -> None:
        """Note that `number` more items are done."""
        self.done += number

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return not self.outcome

    @property
    def percent(self) -> int:
        """How much is done."""
        return 100 * self.done // self.total if self.total else 100


Work = Callable[[Job], Awaitable[str]]
"""Does the work, and returns what came of it, in one sentence."""


class Jobs:
    """The jobs of one console, the newest first."""

    def __init__(self, audit: AuditLog, clock: Clock, logger: Logger) -> None:
        self._audit = audit
        self._clock = clock
        self._logger = logger
        self._jobs: list[Job] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def all(self) -> list[Job]:
        """Return all jobs that are remembered, the newest first."""
        return list(self._jobs)

    def find(self, job_id: str) -> Job | None:
        """Return the job with this id, None if there is none."""
        return next((job for job in self._jobs if job.id == job_id), None)

    def start(self, deed: Deed, total: int, work: Work) -> Job:
        """Begin a job, whose deed has been recorded."""
        job = Job(deed, total, self._clock.now_ms())
        self._jobs.insert(0, job)
        ended = [one for one in self._jobs if not one.runs]
        self._jobs = [one for one in self._jobs if one not in ended[_KEPT:]]
        self._tasks[job.id] = asyncio.create_task(self._run(job, work), name=f"job {job.id}")
        return job

    async def wait(self, job: Job, seconds: float) -> None:
        """Wait until `job` has ended, `seconds` at most: a short one needs no progress bar."""
        if task := self._tasks.get(job.id):
            await asyncio.wait([task], timeout=seconds)

    async def close(self) -> None:
        """Stop all jobs, each after its current step."""
        for job in self._jobs:
            job.stop.set()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=5)

    async def _run(self, job: Job, work: Work) -> None:
        try:
            outcome = await work(job)
        except HooklineError as error:
            job.failed, outcome = True, str(error)
        except Exception:
            self._logger.exception("job failed", job=job.id)
            job.failed, outcome = True, "It failed; the log of the console says why."
        finally:
            self._tasks.pop(job.id, None)
        job.outcome = outcome
        try:
            await self._audit.write(job.deed._replace(outcome=outcome))
        except HooklineError as error:
            self._logger.warning("outcome not recorded", job=job.id, error=str(error))
