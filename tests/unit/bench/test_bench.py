"""What the benchmark makes of its figures: targets met or not."""

from datetime import UTC, datetime

from bench.latency.rounds import STARTED
from bench.load.plan import Outcome
from bench.measurements import Options, Part
from bench.report.figures import (
    FSYNC,
    INGRESS,
    Drain,
    DrainFigures,
    Drains,
    IngressFigures,
    Latency,
    LatencyFigures,
    Overload,
    Served,
)
from bench.report.report import Report
from bench.scale import FULL, QUICK
from bench.system.machine import Machine

_MACHINE = Machine(cpu="", cores=2, system="", python="", aiohttp="", uvloop="", redis="")


def served(name: str, rate: int, busy: float = 1.0) -> Served:
    """Return one round of one second in which `rate` webhooks were answered."""
    outcome = Outcome(answered=rate, seconds=1, failures={}, p50_ms=1, p99_ms=2, busy={"service": busy}, idle={}, ran_out=False)
    return Served(name=name, rounds=[outcome], window_mb=[69.0])


def drains(name: str, rate: int) -> Drains:
    drain = Drain(events=rate, seconds=1, busy={"service": 1.0}, idle={}, window_mb=80.0, dead=0)
    return Drains(name=name, jobs=rate, rounds=[drain])


def latency(name: str, rate: int, p99_ms: float) -> Latency:
    return Latency(name=name, rate=rate, answered=1, failures={}, late_ms=0, percentiles_ms={"99.0": p99_ms})


def report() -> Report:
    """Return a run in which ingress takes 16 000 webhooks per second, and the processor 30 000 events."""
    receivers = {INGRESS: 16_000, FSYNC: 8_000, "bare aiohttp": 20_000, "Fastify": 10_000}
    return Report(
        started_at=datetime.now(UTC),
        machine=_MACHINE,
        pinned=True,
        ingress=IngressFigures(connections=64, served=[served(name, rate) for name, rate in receivers.items()], ready_s=[0.4]),
        peers=DrainFigures(drains=[drains("Hookline", 30_000), drains("BullMQ", 25_000)], failures=[]),
        latency=LatencyFigures(
            seconds=1,
            measured=[latency(INGRESS, 500, 3.9), latency(INGRESS, 8_000, 12.5), latency(STARTED, 500, 5.0)],
            half_of_peak=8_000,
        ),
    )


def test_each_promise_beside_its_figure() -> None:
    """Every target that was measured is named, with the figure that it is about, and whether that reaches it."""
    told = {row.promise: (round(row.value.median, 2), row.met) for row in report().targets()}
    assert told == {
        "ingress: ready after start, s": (0.4, True),
        "ingress: memory under load, MB": (69.0, True),
        "ingress: fsync durability / memory": (0.5, False),
        "ingress / bare aiohttp": (0.8, True),
        "ingress / Fastify": (1.6, True),
        "ingress: p99 of the reply at 500/s, ms": (3.9, True),
        "ingress: p99 of the reply at half of its peak, 8000/s, ms": (12.5, False),
        "webhook received to handler started at 500/s, p99, ms": (5.0, True),
        "processor: no-op events/s, one core": (30_000, True),
        "processor: memory at most, MB": (80.0, True),
        "processor / BullMQ": (1.2, False),
    }


def test_a_first_look_leaves_out_what_takes_minutes() -> None:
    """Without a choice, all is measured, or all that is short; what is chosen is measured in any case."""
    everything = Options(frozenset(), FULL, 1)
    assert all(everything.wants(part) for part in Part)
    quick = Options(frozenset(), QUICK, 1)
    assert {part for part in Part if not quick.wants(part)} == {Part.OVERLOAD, Part.FAULTS, Part.LOSSES}
    chosen = Options(frozenset({Part.FAULTS}), QUICK, 1)
    assert [part for part in Part if chosen.wants(part)] == [Part.FAULTS]


def test_overload_is_divided_by_the_time_until_the_last_answer() -> None:
    """The load sends for longer than planned when too much is due: the planned time would tell of more than was accepted."""
    overload = Overload(
        times=3,
        rate=300,
        sent=600,
        accepted=400,
        refused=200,
        took_s=4,
        failures={"503": 200},
        late_ms=0,
        percentiles_ms={},
        window_mb=None,
    )
    assert overload.per_second() == (100, 50)
