"""Webhooks at a constant rate, to bare aiohttp, to ingress alone, and to ingress with the processor at work."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Final

from hdrh.histogram import HdrHistogram

from bench.drain.backlog import Backlog
from bench.environment import Environment
from bench.errors import NoAnswerError
from bench.latency.load import DIGITS, MOST_US
from bench.latency.plan import OpenOutcome, OpenPlan
from bench.latency.sending import percentiles_ms, send
from bench.latency.servers import Listening, bare, ingress, processor, read_waits
from bench.peers.receivers import BARE
from bench.report.figures import INGRESS, Latency, LatencyFigures
from bench.scale import Scale
from bench.system.processes import Child

STARTED: Final = "until handler started"
_RATES: Final = (100, 500, 1000, 2000)
_CONNECTIONS: Final = 64
_LEAD_IN_S: Final = 1.0
_PARTITIONS: Final = 8
_HANDLED_S: Final = 20.0
_LOOK_S: Final = 0.05


class LatencyRounds:
    """Every server at every rate, with a fresh process each time; ingress also at half of its `peak`, in requests per second,
    if that is known."""

    def __init__(self, environment: Environment, scale: Scale, peak: float | None) -> None:
        self._environment = environment
        self._seconds = scale.open_s
        self._half_of_peak = int(round(peak / 2, -2)) if peak else None
        self._first = 0
        self._servers: Sequence[tuple[str, Callable[[Environment], AbstractContextManager[Listening]]]] = (
            (BARE, bare),
            (INGRESS, ingress),
        )

    def run(self) -> LatencyFigures:
        """Measure.

        Raises:
            BenchError: if a process ends or hangs.

        """
        measured = [self._measure(name, serve, rate) for rate in _RATES for name, serve in self._servers]
        if self._half_of_peak:
            measured.append(self._measure(INGRESS, ingress, self._half_of_peak))
        measured += [one for rate in _RATES for one in self._with_processor(rate)]
        return LatencyFigures(seconds=self._seconds, measured=measured, half_of_peak=self._half_of_peak)

    def _measure(self, name: str, serve: Callable[[Environment], AbstractContextManager[Listening]], rate: int) -> Latency:
        self._environment.redis.empty()
        with serve(self._environment) as server:
            return self._noted(name, rate, self._load(server, rate))

    def _with_processor(self, rate: int) -> Iterator[Latency]:
        """Run both services; the processor shares the core of Redis and the load."""
        self._environment.redis.empty()
        waits = self._environment.directory / f"waits-{rate}.json"
        with ingress(self._environment) as server, processor(self._environment, waits) as handling:
            outcome = self._load(server, rate)
            self._wait_handled(handling)
        yield self._noted("ingress + processor", rate, outcome)
        yield self._tell(_of_waits(rate, read_waits(waits, handling), len(outcome.acknowledged)))

    def _wait_handled(self, handling: Child) -> None:
        """Wait for the last event: those that waited longest must not be missing."""
        backlog, deadline = Backlog(self._environment.redis, _PARTITIONS), time.monotonic() + _HANDLED_S
        while not backlog.is_settled() and time.monotonic() < deadline:
            handling.check()
            time.sleep(_LOOK_S)

    def _load(self, server: Listening, rate: int) -> OpenOutcome:
        self._environment.progress.doing(f"{rate} webhooks/s for {self._seconds:g} s")
        plan = OpenPlan(
            port=server.port,
            connections=_CONNECTIONS,
            rate=rate,
            lead_in_s=_LEAD_IN_S,
            seconds=self._seconds,
            first=self._first,
        )
        self._first += int(rate * (_LEAD_IN_S + self._seconds)) + 1
        try:
            outcome = send(self._environment, plan)
        finally:
            server.child.check()  # its death explains whatever the load met
        if not outcome.answered:
            raise NoAnswerError(server.child.name, outcome.failures, server.child.written())
        return outcome

    def _noted(self, name: str, rate: int, outcome: OpenOutcome) -> Latency:
        return self._tell(
            Latency(
                name=name,
                rate=rate,
                answered=outcome.answered,
                failures=outcome.failures,
                late_ms=outcome.late_ms,
                percentiles_ms=percentiles_ms(HdrHistogram.decode(outcome.histogram)),
            )
        )

    def _tell(self, latency: Latency) -> Latency:
        p50, p99 = latency.percentiles_ms["50.0"], latency.percentiles_ms["99.0"]
        self._environment.progress.note(f"{latency.rate:>5}/s: {latency.name:<22} p50 {p50:.2f} ms, p99 {p99:.2f} ms")
        return latency


def _of_waits(rate: int, waits_ms: list[float], accepted: int) -> Latency:
    """Sum up how long events waited, those of the lead-in excepted; any of the `accepted` that no handler saw is a failure."""
    histogram = HdrHistogram(1, MOST_US, DIGITS)
    counted = waits_ms[int(rate * _LEAD_IN_S) :]
    for wait in counted:
        histogram.record_value(min(MOST_US, max(1, int(wait * 1000))))
    return Latency(
        name=STARTED,
        rate=rate,
        answered=len(counted),
        failures={"never started": accepted - len(waits_ms)} if len(waits_ms) < accepted else {},
        late_ms=0.0,
        percentiles_ms=percentiles_ms(histogram),
    )
