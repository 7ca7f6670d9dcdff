"""The targets. Pure."""

from typing import Final

import msgspec

from bench.drain.comparisons import HOOKLINE
from bench.latency.rounds import STARTED
from bench.load.plan import Outcome
from bench.peers.receivers import BARE
from bench.report.figures import (
    FSYNC,
    INGRESS,
    Drain,
    DrainFigures,
    Drains,
    IngressFigures,
    LatencyFigures,
    OperationFigures,
    Served,
    cpu_ratios,
    rates,
    ratios,
)
from bench.report.spread import Spread, spread

_TIMES: Final = {"FastStream": 6.0, "taskiq-redis": 6.0, "streaq": 6.0, "arq": 6.0, "BullMQ": 1.5}
"""How many times as fast as each peer the processor is to be."""
_FASTER: Final = {BARE: 0.65, "FastAPI": 6.0, "Fastify": 1.15}
"""How many times as fast as each receiver ingress is to be."""
_USUAL: Final = 500
"""Webhooks per second at which latencies are promised."""
_STEADY: Final = dict.fromkeys(("8 partitions, 10k", "8 partitions, 1M", "1 partition", "64 partitions"), 0.85)
"""What share of its speed the processor is to keep, whatever the backlog and the partitions."""


class Row(msgspec.Struct, frozen=True):
    """One line of the table. `decimals` is how many to show; with `at_most`, less is better.

    `promise` names what `target` is about, where it stands alone.
    """

    what: str
    value: Spread
    decimals: int
    target: float | None = None
    at_most: bool = False
    promise: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the median reaches the target; None if there is none."""
        if self.target is None:
            return None
        return self.value.median <= self.target if self.at_most else self.value.median >= self.target


def ingress_rows(figures: IngressFigures) -> list[Row]:
    """Return ingress beside other receivers: requests per second, p99, memory, then the ratios."""
    ours = figures.of(INGRESS)
    return [
        *_optional("ingress start, s", figures.ready_s, 2, target=1, at_most=True, promise="ingress: ready after start, s"),
        *(row for one in figures.served if one.rounds for row in _served_rows(ours, one, figures.versions.get(one.name, ""))),
    ]


def _served_rows(ours: list[Outcome], one: Served, version: str) -> list[Row]:
    name = f"{one.name} {version}".strip()
    own = one.name.startswith(INGRESS)
    first = one.name == INGRESS
    return [
        Row(f"{name}, requests/s", rates(one.rounds), 0),
        Row("  p50, ms", spread([outcome.p50_ms for outcome in one.rounds]), 1),
        Row("  p99, ms", spread([outcome.p99_ms for outcome in one.rounds]), 1),
        *_optional(
            "  memory, MB", one.window_mb, 1, 70 if first else None, at_most=True, promise="ingress: memory under load, MB"
        ),
        *(_own_rows(ours, one) if own else _times_rows(ours, one)),
    ]


def _own_rows(ours: list[Outcome], one: Served) -> list[Row]:
    """Return another durability, or number of processes, beside the default one."""
    if one.name == INGRESS:
        return []
    target = 0.7 if one.name == FSYNC else None
    return _optional("  / ingress", ratios(one.rounds, ours), 2, target, promise="ingress: fsync durability / memory")


def _times_rows(ours: list[Outcome], one: Served) -> list[Row]:
    return [
        *_optional(
            f"  ingress / {one.name}",
            ratios(ours, one.rounds),
            2,
            target=_FASTER.get(one.name),
            promise=f"ingress / {one.name}",
        ),
        *_optional("  the same per CPU second", cpu_ratios(ours, one.rounds), 2),
    ]


def peer_rows(figures: DrainFigures) -> list[Row]:
    """Return the processor beside its peers: jobs per second, then the ratios."""
    ours = figures.of(HOOKLINE)
    memory = [drain.window_mb for drain in ours if drain.window_mb is not None]
    theirs = [one for one in figures.drains if one.name != HOOKLINE and one.rounds]
    return [
        *_optional(
            "processor, jobs/s", [drain.rate for drain in ours], 0, 20_000, promise="processor: no-op events/s, one core"
        ),
        *_optional("processor memory, MB", memory, 1, 100, at_most=True, promise="processor: memory at most, MB"),
        *_optional("processor start, s", figures.ready_s, 2, 1, at_most=True, promise="processor: ready after start, s"),
        *(row for one in theirs for row in _beside(ours, one, figures.versions.get(one.name, ""))),
    ]


def variant_rows(figures: DrainFigures) -> list[Row]:
    """Return each setting of the processor beside the first."""
    basis = figures.drains[0]
    return [
        row
        for one in figures.drains
        if one.rounds
        for row in (
            Row(f"processor, {one.name}, jobs/s", rates(one.rounds), 0),
            *_memory_row(one),
            *_optional(
                f"  / {basis.name}",
                ratios(one.rounds, basis.rounds) if one is not basis else [],
                2,
                _STEADY.get(one.name),
                promise=f"processor: {one.name} / {basis.name}",
            ),
        )
    ]


def _memory_row(one: Drains) -> list[Row]:
    """Return the memory where it must not grow: with the backlog, and with the partitions."""
    if one.name not in _STEADY:
        return []
    memory = [drain.window_mb for drain in one.rounds if drain.window_mb is not None]
    return _optional("  memory, MB", memory, 1, 100, at_most=True, promise=f"processor: {one.name}, memory at most, MB")


def operation_rows(figures: OperationFigures) -> list[Row]:
    """Return the cost of an event in Redis."""
    return [
        *(Row(f"Redis, append in {one.batch}, us each", spread([one.us_per_event]), 1) for one in figures.appended),
        Row("Redis, read and settle, us each", spread([figures.settled_us]), 1),
        *(Row(f"appending in 64, {one.calls} at a time, events/s", spread([one.per_second]), 0) for one in figures.depths),
        Row("Redis, bytes each at rest", spread([one.bytes_per_event for one in figures.appended]), 0),
    ]


def _beside(ours: list[Drain], peer: Drains, version: str) -> list[Row]:
    return [
        Row(f"{peer.name} {version}, jobs/s", rates(peer.rounds), 0),
        *_optional(
            f"  processor / {peer.name}",
            ratios(ours, peer.rounds),
            2,
            target=_TIMES.get(peer.name),
            promise=f"processor / {peer.name}",
        ),
        *_optional("  the same per CPU second", cpu_ratios(ours, peer.rounds), 2),
    ]


def latency_targets(figures: LatencyFigures) -> list[Row]:
    """Return the targets for latencies; their table shows the rest."""
    return [
        *_p99_target(figures, INGRESS, _USUAL, 4, f"ingress: p99 of the reply at {_USUAL}/s, ms"),
        *_p99_target(
            figures,
            INGRESS,
            figures.half_of_peak,
            10,
            f"ingress: p99 of the reply at half of its peak, {figures.half_of_peak}/s, ms",
        ),
        *_p99_target(figures, STARTED, _USUAL, 15, f"webhook received to handler started at {_USUAL}/s, p99, ms"),
    ]


def _p99_target(figures: LatencyFigures, name: str, rate: int | None, most_ms: float, promise: str) -> list[Row]:
    found = [one.percentiles_ms["99.0"] for one in figures.measured if one.name == name and one.rate == rate]
    return _optional(promise, found, 1, most_ms, at_most=True, promise=promise)


def _optional(
    what: str,
    values: list[float],
    decimals: int,
    target: float | None = None,
    *,
    at_most: bool = False,
    promise: str = "",
) -> list[Row]:
    """Return a row, or none where this machine does not report the values."""
    return [Row(what, spread(values), decimals, target, at_most, promise)] if values else []
