"""Webhooks at 100 to 2 000 per second, to bare aiohttp, to ingress alone, and to ingress with the processor at work."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

import msgspec
from hdrh.histogram import HdrHistogram

from bench.bed import Bed
from bench.figures import INGRESS, Latency, LatencyFigures
from bench.ingress_rounds import ingress_settings
from bench.latency.load import DIGITS, MOST_US
from bench.latency.plan import OpenOutcome, OpenPlan
from bench.peers.receivers import BARE, RECEIVERS, Receiver
from bench.probes import accepts, is_ready
from bench.processes import free_port, module, running
from bench.scale import Scale

STARTED: Final = "until handler started"
_RATES: Final = (100, 500, 1000, 2000)
_CONNECTIONS: Final = 64
_LEAD_IN_S: Final = 1.0
_TIMEOUT_S: Final = 60.0
_PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9, 99.99, 100.0)


class LatencyRounds:
    """Every server at every rate, with a fresh process each time."""

    def __init__(self, bed: Bed, scale: Scale) -> None:
        self._bed = bed
        self._seconds = scale.open_s
        self._first = 0
        bare = next(one for one in RECEIVERS if one.name == BARE)
        self._servers: Sequence[tuple[str, Callable[[], AbstractContextManager[int]]]] = (
            (BARE, lambda: self._bare(bare)),
            (INGRESS, self._ingress),
        )

    def run(self) -> LatencyFigures:
        """Measure.

        Raises:
            BenchError: if a process ends or hangs.

        """
        measured = [self._measure(name, serve, rate) for rate in _RATES for name, serve in self._servers]
        measured += [one for rate in _RATES for one in self._with_processor(rate)]
        return LatencyFigures(seconds=self._seconds, measured=measured)

    def _measure(self, name: str, serve: Callable[[], AbstractContextManager[int]], rate: int) -> Latency:
        self._bed.redis.empty()
        with serve() as port:
            return self._noted(name, rate, self._load(port, rate))

    def _with_processor(self, rate: int) -> Iterator[Latency]:
        """Run both services; the processor shares the core of Redis and the load."""
        self._bed.redis.empty()
        waits = self._bed.directory / "waits.json"
        with self._ingress() as port, self._processor(waits):
            outcome = self._load(port, rate)
        yield self._noted("ingress + processor", rate, outcome)
        yield self._tell(_of_waits(rate, msgspec.json.decode(waits.read_bytes(), type=list[float])))

    def _load(self, port: int, rate: int) -> OpenOutcome:
        self._bed.journal.doing(f"{rate} webhooks/s for {self._seconds:g} s")
        plan = OpenPlan(
            port=port, connections=_CONNECTIONS, rate=rate, lead_in_s=_LEAD_IN_S, seconds=self._seconds, first=self._first
        )
        self._first += int(rate * (_LEAD_IN_S + self._seconds)) + 1
        with running("open load", module("bench.latency.load"), self._bed.directory, self._bed.cores.rest, pipes=True) as load:
            answer = load.talk(msgspec.json.encode(plan), _TIMEOUT_S + self._seconds)
        return msgspec.json.decode(answer, type=OpenOutcome)

    def _noted(self, name: str, rate: int, outcome: OpenOutcome) -> Latency:
        histogram = HdrHistogram.decode(outcome.histogram)
        return self._tell(
            Latency(
                name=name,
                rate=rate,
                answered=outcome.answered,
                failures=outcome.failures,
                late_ms=outcome.late_ms,
                percentiles_ms={str(share): histogram.get_value_at_percentile(share) / 1000 for share in _PERCENTILES},
            )
        )

    def _tell(self, latency: Latency) -> Latency:
        p50, p99 = latency.percentiles_ms["50.0"], latency.percentiles_ms["99.0"]
        self._bed.journal.note(f"{latency.rate:>5}/s: {latency.name:<22} p50 {p50:.2f} ms, p99 {p99:.2f} ms")
        return latency

    @contextmanager
    def _bare(self, bare: Receiver) -> Iterator[int]:
        port = free_port()
        with running(BARE, bare.command(port), self._bed.directory, self._bed.cores.service) as child:
            child.wait_until(lambda: accepts(port))
            yield port

    @contextmanager
    def _ingress(self) -> Iterator[int]:
        port, admin_port = free_port(), free_port()
        settings = ingress_settings(self._bed.redis.url, port, admin_port, self._bed.directory / "spool-open.db")
        with running(INGRESS, module("ingress"), self._bed.directory, self._bed.cores.service, settings) as child:
            child.wait_until(lambda: is_ready(admin_port))
            yield port

    @contextmanager
    def _processor(self, waits: Path) -> Iterator[None]:
        admin_port = free_port()
        settings = {
            "REDIS_URL": self._bed.redis.url,
            "PROCESSOR_HANDLERS": "bench.latency.handlers:handlers",
            "PROCESSOR_ADMIN_PORT": str(admin_port),
            "BENCH_WAITS": str(waits),
            "LOG_LEVEL": "error",
        }
        with running("processor", module("processor"), self._bed.directory, self._bed.cores.rest, settings) as child:
            child.wait_until(lambda: is_ready(admin_port))
            yield


def _of_waits(rate: int, waits_ms: list[float]) -> Latency:
    """Sum up how long events waited, those of the lead-in excepted."""
    histogram = HdrHistogram(1, MOST_US, DIGITS)
    counted = waits_ms[int(rate * _LEAD_IN_S) :]
    for wait in counted:
        histogram.record_value(min(MOST_US, max(1, int(wait * 1000))))
    percentiles = {str(share): histogram.get_value_at_percentile(share) / 1000 for share in _PERCENTILES}
    return Latency(name=STARTED, rate=rate, answered=len(counted), failures={}, late_ms=0.0, percentiles_ms=percentiles)
