"""Time how a contender processes its backlog."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from bench.drain.contender import Contender
from bench.environment import Environment
from bench.errors import TooSlowError
from bench.load.usage import read_usage
from bench.report.figures import Drain
from bench.system.machine import window_mb
from bench.system.processes import Child

_LOOK_S: Final = 0.02
_STALLED_S: Final = 30.0


class Stopwatch:
    """Watches one contender at a time; the clock runs from the first job that is done to the last that is settled."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def time(self, contender: Contender) -> Drain:
        """Write the backlog, start the contender, and measure.

        Raises:
            BenchError: if a process ends, or nothing is done for 30 s.

        """
        contender.fill()
        with contender.work() as children:
            left = self._wait_begun(contender, children)
            processes = {**_by_name(children), "redis": self._environment.redis.pid}
            began, before = time.perf_counter(), read_usage(processes, self._environment.cores.named())
            self._wait_settled(contender, left, children)
            seconds = time.perf_counter() - began
            usage = read_usage(processes, self._environment.cores.named()).since(before, seconds)
            memory = window_mb(children[0].pid, "VmHWM")
        return Drain(events=left, seconds=seconds, busy=usage.busy, idle=usage.idle, window_mb=memory, dead=contender.dead())

    def _wait_begun(self, contender: Contender, children: Sequence[Child]) -> int:
        left = self._wait_below(contender, contender.jobs, children)
        while not contender.has_begun():
            left = self._wait_below(contender, left, children)
        return left

    def _wait_settled(self, contender: Contender, left: int, children: Sequence[Child]) -> None:
        while left:
            left = self._wait_below(contender, left, children)
        deadline = time.perf_counter() + _STALLED_S
        while not contender.is_settled():
            _pause(children, deadline)

    def _wait_below(self, contender: Contender, jobs: int, children: Sequence[Child]) -> int:
        """Wait until fewer than `jobs` are left; return the number."""
        deadline = time.perf_counter() + _STALLED_S
        while (left := contender.left()) >= jobs:
            _pause(children, deadline)
        return left


def _by_name(children: Sequence[Child]) -> Mapping[str, int]:
    return {"service" if number == 0 else child.name: child.pid for number, child in enumerate(children)}


def _pause(children: Sequence[Child], deadline: float) -> None:
    for child in children:
        child.check()
    if time.perf_counter() > deadline:
        raise TooSlowError(f"{children[0].name} got nothing done", _STALLED_S, children[0].written())
    time.sleep(_LOOK_S)
