"""One system, one fault, and a constant rate of webhooks before, during and after it."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hdrh.histogram import HdrHistogram

from bench.environment import Environment
from bench.faults.redis import FaultyRedis
from bench.faults.subject import STAGES, Subject
from bench.latency.plan import TWILIO_LIMIT_S, OpenOutcome, OpenPlan
from bench.latency.sending import send
from bench.report.figures import Faulted, FaultFigures

RATE: Final = 200
SECONDS: Final = 12.0
FAULT_AT_S: Final = 4.0
AWAY_S: Final = 3.0
_CONNECTIONS: Final = 200
_DRAIN_S: Final = 40.0
_AFTERWARDS_S: Final = 2.0


class Fault(StrEnum):
    """What happens at 4 s, for 3 s."""

    NONE = "none"
    STALLED = "Redis stalled"
    KILLED = "Redis killed"
    WORKER = "handler killed"


def faults(environment: Environment) -> FaultFigures:
    """Run every system with every fault, except those without a handler where the handler is killed.

    Raises:
        BenchError: if a process ends or hangs.

    """
    faulted = []
    for fault in Fault:
        for name, stage in STAGES.items():
            if fault is Fault.WORKER and not stage.has_handler:
                continue
            environment.progress.doing(f"fault: {fault}, {name}")
            faulted.append(_try(environment, name, fault))
            environment.progress.note(_tell(faulted[-1]))
    return FaultFigures(rate=RATE, seconds=SECONDS, away_s=AWAY_S, faulted=faulted)


def _try(environment: Environment, name: str, fault: Fault) -> Faulted:
    with TemporaryDirectory(prefix="faults-", dir=environment.directory) as directory, ExitStack() as stack:
        own = environment._replace(directory=Path(directory))
        redis = FaultyRedis(stack, own.directory, own.cores.rest)
        record = own.directory / "record"
        subject = STAGES[name](own, stack, redis, record)
        subject.open()
        with ThreadPoolExecutor(1) as beside:  # what the fault starts must not end with a thread, as `setpriv` would have it
            load = beside.submit(_load, own, subject.port)
            time.sleep(FAULT_AT_S)
            acted_at = time.time()
            _act(fault, redis, subject)
            outcome = load.result()
        done = _done(subject, outcome)
    return _sum_up(name, fault, outcome, acted_at, done)


def _act(fault: Fault, redis: FaultyRedis, subject: Subject) -> None:
    if fault is Fault.STALLED:
        redis.stall(AWAY_S)
    elif fault is Fault.KILLED:
        redis.kill(AWAY_S)
    elif fault is Fault.WORKER:
        subject.kill_worker(AWAY_S)


def _load(environment: Environment, port: int) -> OpenOutcome:
    plan = OpenPlan(
        port=port,
        connections=_CONNECTIONS,
        rate=RATE,
        lead_in_s=0.0,
        seconds=SECONDS,
        first=0,
        grace_s=TWILIO_LIMIT_S,
    )
    return send(environment, plan)


def _done(subject: Subject, outcome: OpenOutcome) -> set[int]:
    """Return the messages that were handled, once all that were acknowledged are among them, or after a long time."""
    acknowledged, deadline = set(outcome.acknowledged), time.monotonic() + _DRAIN_S
    while not acknowledged <= (done := subject.done()) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(_AFTERWARDS_S)  # those that were not acknowledged may be done, too
    return done | subject.done()


def _sum_up(name: str, fault: Fault, outcome: OpenOutcome, acted_at: float, done: set[int]) -> Faulted:
    histogram = HdrHistogram.decode(outcome.histogram)
    return Faulted(
        name=name,
        fault=fault,
        sent=int(RATE * SECONDS),
        acknowledged=len(outcome.acknowledged),
        refused=outcome.failures,
        broken_promises=len(set(outcome.acknowledged) - done),
        never_handled=int(RATE * SECONDS) - len(done),
        p99_ms=histogram.get_value_at_percentile(99.0) / 1000,
        fault_at_s=acted_at - outcome.began_at,
        worst_ms=histogram.get_max_value() / 1000,
        by_second=outcome.by_second,
    )


def _tell(one: Faulted) -> str:
    return f"{one.fault}: {one.name}: {one.never_handled} of {one.sent} never handled, slowest answer {one.worst_ms:,.0f} ms"
