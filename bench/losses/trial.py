"""One subject in one scenario, with a Redis of its own, so that several can be tried at once: they sleep most of the time."""

import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Final

from bench.environment import Environment
from bench.errors import BenchError, TooSlowError
from bench.losses.record import read
from bench.losses.scenario import JOBS, KILLED_AFTER, Scenario
from bench.losses.subject import Subject, record_of
from bench.report.figures import Loss
from bench.system.private_redis import private_redis
from bench.system.processes import Child, running

_LOOK_S: Final = 0.02
_AFTERWARDS_S: Final = 3.0
"""So long is waited for jobs that are done again, once all are done."""
_STALLED_S: Final = 30.0


class GivenUpError(BenchError):
    """The benchmark was interrupted during the trial."""


class Trial:
    """`patience_s` is after how many seconds without any job what has not been done counts as lost; all runs on `core`."""

    def __init__(
        self, environment: Environment, subject: Subject, scenario: Scenario, patience_s: float, core: int | None
    ) -> None:
        self._subject = subject
        self._scenario = scenario
        self._patience_s = patience_s
        self._progress = environment.progress
        self._cores = environment.cores._replace(service=core, rest=core)
        self._given_up = Event()

    def give_up(self) -> None:
        """Stop all waits; may be called from any thread."""
        self._given_up.set()

    def run(self) -> Loss:
        """Try it.

        Raises:
            BenchError: if the worker does not work at all.

        """
        with (
            TemporaryDirectory(prefix="hookline-losses-") as directory,
            private_redis(Path(directory), self._cores.rest) as redis,
        ):
            environment = Environment(Path(directory), self._cores, redis, self._progress)
            self._subject.queue(environment, self._settings(environment))
            began = time.time()
            with ExitStack() as workers:
                worker = self._start(environment, workers)
                if self._scenario.kills:
                    self._wait_done(environment, KILLED_AFTER, worker)
                    worker.kill()
                    worker = self._start(environment, workers)
                self._wait_quiet(environment)
        return self._result(environment, began)

    def _start(self, environment: Environment, workers: ExitStack) -> Child:
        settings = {**self._settings(environment), **self._subject.settings(environment)}
        return workers.enter_context(
            running("worker", self._subject.worker(), environment.directory, environment.cores.service, settings)
        )

    def _settings(self, environment: Environment) -> dict[str, str]:
        return {"BENCH_RECORD": str(record_of(environment.directory)), **self._scenario.settings()}

    def _wait_done(self, environment: Environment, jobs: int, worker: Child) -> None:
        deadline = time.monotonic() + _STALLED_S
        while len(read(record_of(environment.directory)).done) < jobs:
            worker.check()
            if time.monotonic() > deadline:
                raise TooSlowError(f"{self._subject.name} did not do {jobs} jobs", _STALLED_S, worker.written())
            self._pause(_LOOK_S)

    def _wait_quiet(self, environment: Environment) -> None:
        """Wait until nothing has been recorded for a while, a shorter one if all jobs are done."""
        lines, since = -1, time.monotonic()
        while True:
            told = read(record_of(environment.directory))
            if told.lines != lines:
                lines, since = told.lines, time.monotonic()
            if time.monotonic() - since > (_AFTERWARDS_S if len(told.done) == JOBS else self._patience_s):
                self._told = told
                return
            self._pause(10 * _LOOK_S)

    def _pause(self, seconds: float) -> None:
        if self._given_up.wait(seconds):
            raise GivenUpError(f"{self._subject.name}: not tried to the end")

    def _result(self, environment: Environment, began: float) -> Loss:
        told = self._told
        return Loss(
            name=self._subject.name,
            scenario=self._scenario,
            never=JOBS - len(told.done),
            twice=sum(count > 1 for count in told.done.values()),
            seconds=told.last_done - began if len(told.done) == JOBS else None,
        )
