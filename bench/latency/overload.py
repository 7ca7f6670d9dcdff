"""Ingress under overload: how much is accepted, how the rest is refused, and the cost of that."""

from typing import Final

from hdrh.histogram import HdrHistogram

from bench.environment import Environment
from bench.errors import NoAnswerError
from bench.latency.plan import OpenPlan
from bench.latency.sending import percentiles_ms, send
from bench.latency.servers import ingress
from bench.report.figures import Overload, OverloadFigures
from bench.system.machine import window_mb

_TIMES: Final = (0.8, 1.5, 3.0)
_CONNECTIONS: Final = 2000
"""Twice what ingress takes at once (`INGRESS_MAX_IN_FLIGHT`), so that it has to refuse."""
_LEAD_IN_S: Final = 1.0


def overloads(environment: Environment, peak: float, seconds: float) -> OverloadFigures:
    """Send several times `peak`, in requests per second, for `seconds` each.

    Raises:
        BenchError: if a process ends or hangs.

    """
    measured = [_overload(environment, times, int(peak * times), seconds) for times in _TIMES]
    return OverloadFigures(peak=int(peak), seconds=seconds, connections=_CONNECTIONS, overloads=measured)


def _overload(environment: Environment, times: float, rate: int, seconds: float) -> Overload:
    environment.progress.doing(f"{times:g} times what ingress can take: {rate:,} webhooks/s for {seconds:g} s")
    environment.redis.empty()
    with ingress(environment) as server:
        plan = OpenPlan(port=server.port, connections=_CONNECTIONS, rate=rate, lead_in_s=_LEAD_IN_S, seconds=seconds, first=0)
        outcome = send(environment, plan)
        server.child.check()
        if not outcome.took_s:
            raise NoAnswerError(server.child.name, outcome.failures, server.child.written())
        memory = window_mb(server.child.pid, "VmHWM")
    overload = Overload(
        times=times,
        rate=rate,
        sent=sum(second.due for second in outcome.by_second),
        accepted=len(outcome.acknowledged),
        refused=sum(second.failed for second in outcome.by_second),
        took_s=outcome.took_s,
        failures=outcome.failures,
        late_ms=outcome.late_ms,
        percentiles_ms=percentiles_ms(HdrHistogram.decode(outcome.histogram_from_sent)),
        window_mb=memory,
    )
    environment.progress.note(_tell(overload))
    return overload


def _tell(one: Overload) -> str:
    accepted, refused = one.per_second()
    p99 = one.percentiles_ms["99.0"]
    return f"{one.times:g} x peak: {accepted:,.0f}/s accepted, p99 {p99:,.0f} ms; {refused:,.0f}/s refused"
