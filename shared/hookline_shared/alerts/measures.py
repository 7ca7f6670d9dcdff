"""The values of the alerts of both services, read from their metrics."""

from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import Counter, Gauge

from hookline_shared.alerts.hysteresis import Cause
from hookline_shared.alerts.thresholds import Threshold
from hookline_shared.breaker import OPEN_REASONS, State
from hookline_shared.observability.logs import Redactor
from hookline_shared.observability.loop_lag import LOOP_LAG
from hookline_shared.observability.metrics import BREAKER_STATE, REDIS_DATA_AT_RISK, REDIS_POOL_CONNECTIONS

_REDIS: Final = "redis"
_DATABASE: Final = "database"
_LONGEST_CAUSE: Final = 300
_REDACTOR: Final = Redactor()

Measure = Callable[[float], Mapping[str, float] | None]
"""Returns the present values of one alert by subject ("" if there is only one), at a monotonic time in seconds.

None means that they are unknown at present. It must not block.
"""


def common_measures(limits: Mapping[str, Threshold]) -> dict[str, Measure]:
    """Return the measures of the alerts of both services by name, without the disk."""
    lag_window_s = limits["loop_lagging"].window_s or 0.0
    return {
        "breaker_open": lambda _now: _breakers(),
        "loop_lagging": lambda _now: {"": LOOP_LAG.worst(lag_window_s)},
        "pool_saturated": lambda _now: redis_pools(),
    }


def causes() -> dict[str, Cause]:
    """Return what says why an alert fires, by the name of the alert."""
    return {"breaker_open": _breaker_cause, "ledger_behind": lambda _subject: _breaker_cause(_DATABASE)}


def _breaker_cause(name: str) -> str:
    """Return the error that opened a breaker of ours. Errors of handlers are left out: they may quote what people wrote."""
    if name.partition(" ")[0] not in (_REDIS, _DATABASE):
        return ""
    reason = _REDACTOR.text(OPEN_REASONS.get(name, ""))[:_LONGEST_CAUSE].rstrip(". ")
    return f"{reason}." if reason else ""


def redis_pools() -> dict[str, float]:
    """Return the number of calls that wait for a connection, by pool."""
    samples = [sample for metric in REDIS_POOL_CONNECTIONS.collect() for sample in metric.samples]
    return {sample.labels["pool"]: sample.value for sample in samples if sample.labels["state"] == "waiting"}


def redis_risks() -> dict[str, float]:
    """Return 1 for each risk in the configuration of Redis that is present, 0 for each that is not."""
    return _by("reason", REDIS_DATA_AT_RISK)


def counted(counter: Counter) -> float:
    """Return the sum of `counter` over all labels."""
    return sum(one.value for metric in counter.collect() for one in metric.samples if one.name.endswith("_total"))


def _breakers() -> dict[str, float]:
    return {name: float(state != State.CLOSED) for name, state in _by("name", BREAKER_STATE).items()}


def _by(label: str, gauge: Gauge) -> dict[str, float]:
    return {sample.labels[label]: sample.value for metric in gauge.collect() for sample in metric.samples}
