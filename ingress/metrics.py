"""The metrics of ingress."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import accumulate
from typing import Final

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from shared.metrics import FAST_SECONDS, Tally


class Timing:
    """A histogram of durations in seconds for the event loop alone.

    prometheus_client's own locks, and walks through its buckets one by one; with six of them per request that is felt.
    """

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(FAST_SECONDS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(FAST_SECONDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Give the upper bounds, and how many durations are not above each."""
        bounds = [*(str(float(bound)) for bound in FAST_SECONDS), "+Inf"]
        return [(bound, float(count)) for bound, count in zip(bounds, accumulate(self.counts), strict=True)]


class _Timings(Collector):
    """Shows `timings`, each under its value of `label`, as one metric."""

    def __init__(self, name: str, documentation: str, label: str | None, timings: Mapping[str, Timing]) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = [label] if label else []
        self._timings = timings

    def describe(self) -> Iterable[HistogramMetricFamily]:
        return [HistogramMetricFamily(self._name, self._documentation, labels=self._labels)]

    def collect(self) -> Iterable[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        for value, timing in self._timings.items():
            family.add_metric([value] if self._labels else [], timing.buckets(), timing.total)
        yield family


REQUESTS = Tally("hookline_ingress_requests_total", "Requests, by route, status code and outcome", "route", "code", "outcome")
REQUEST_SECONDS: Final = Timing()
STAGE_SECONDS: Final = {stage: Timing() for stage in ("read", "verify", "translate", "write", "reply")}
"""Time from the first byte of a request to its last; for decoding and the signature; for making events of it; until they are
safe; until the reply was handed to the system."""
REGISTRY.register(
    _Timings("hookline_ingress_request_seconds", "Time from a request's first byte to its answer", None, {"": REQUEST_SECONDS})
)
REGISTRY.register(
    _Timings("hookline_ingress_stage_seconds", "Time of each stage of an accepted request", "stage", STAGE_SECONDS)
)

BATCH_EVENTS = Histogram(
    "hookline_ingress_batch_events", "Events written to Redis in one call", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
)
SIGNERS = Tally("hookline_ingress_signed_total", "Verified requests, by the secret that verified them", "signer")
CONNECTIONS = Gauge("hookline_ingress_connections", "Open connections, now")
SPOOL_EVENTS = Gauge("hookline_spool_events", "Events in the spool, now")
SPOOL_BYTES = Gauge("hookline_spool_bytes", "Bytes of the events in the spool, now")
SPOOL_FILL = Gauge("hookline_spool_fill_ratio", "Share of the spool's room that is in use, from 0 to 1")
LIMITS_SHARED = Gauge("hookline_limits_shared", "1 while rate limits are counted together with other processes, else 0")
DRAINED = Counter("hookline_spool_drained_total", "Events moved from the spool to Redis, by what they were there", ["outcome"])

count_drained = cache(DRAINED.labels)
"""Gives the counter of an outcome: new or duplicate."""
