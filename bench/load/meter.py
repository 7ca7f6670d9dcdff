"""Count replies and their cost during the measured time."""

import os
import time
from collections import Counter

from bench.load.plan import Outcome, Plan
from bench.load.usage import Usage, read_usage
from bench.report.spread import percentile


class Meter:
    """Collects latencies, in seconds, between `begin` and `end`, and failures at any time."""

    def __init__(self, plan: Plan) -> None:
        self.latencies: list[float] = []
        self.failures: Counter[str] = Counter()
        self.over = False
        self.ran_out = False
        self._processes = {**plan.watched, "load": os.getpid()}
        self._cores = plan.cores
        self._begun = self._ended = time.perf_counter()
        self._before = self._after = Usage({}, {})

    def begin(self) -> None:
        """Discard the lead-in."""
        self._before = read_usage(self._processes, self._cores)
        self.latencies = []
        self._begun = time.perf_counter()

    def end(self, *, ran_out: bool = False) -> None:
        """Stop counting, from the first call on."""
        if not self.over:
            self._ended = time.perf_counter()
            self._after = read_usage(self._processes, self._cores)
            self.over, self.ran_out = True, ran_out

    def outcome(self) -> Outcome:
        """Sum up."""
        seconds = self._ended - self._begun
        latencies = sorted(self.latencies)
        usage = self._after.since(self._before, seconds)
        return Outcome(
            answered=len(latencies),
            seconds=seconds,
            failures=dict(self.failures),
            p50_ms=percentile(latencies, 0.50) * 1000,
            p99_ms=percentile(latencies, 0.99) * 1000,
            busy=usage.busy,
            idle=usage.idle,
            ran_out=self.ran_out,
        )
