"""What both services watch, taken from what they show in their metrics."""

from collections.abc import Callable, Mapping

from prometheus_client import Counter, Gauge

from hookline_shared.alerts.limits import Limit
from hookline_shared.breaker import State
from hookline_shared.loop_lag import LOOP_LAG
from hookline_shared.metrics import BREAKER_STATE, REDIS_DATA_AT_RISK, REDIS_POOL_CONNECTIONS

Measure = Callable[[float], Mapping[str, float] | None]
"""Gives the present values of one alert, by what they are of ("" if there is only one), at a monotonic time in seconds.

None means that they are not known now. Must not wait for anything.
"""


def common_measures(limits: Mapping[str, Limit]) -> dict[str, Measure]:
    """Give the measures of the alerts that both services have, but for the disk, by name."""
    lag_window_s = limits["loop_lagging"].window_s or 0.0
    return {
        "breaker_open": lambda _now: _breakers(),
        "loop_lagging": lambda _now: {"": LOOP_LAG.worst(lag_window_s)},
        "pool_saturated": lambda _now: redis_pools(),
    }


def redis_pools() -> dict[str, float]:
    """Give how many calls wait for a connection, by pool."""
    samples = [sample for metric in REDIS_POOL_CONNECTIONS.collect() for sample in metric.samples]
    return {sample.labels["pool"]: sample.value for sample in samples if sample.labels["state"] == "waiting"}


def redis_risks() -> dict[str, float]:
    """Give 1 for each way in which Redis is set up to lose events, 0 for those in which it is not."""
    return _by("reason", REDIS_DATA_AT_RISK)


def counted(counter: Counter) -> float:
    """Give how much `counter` counted so far, under whatever labels."""
    return sum(one.value for metric in counter.collect() for one in metric.samples if one.name.endswith("_total"))


def _breakers() -> dict[str, float]:
    return {name: float(state != State.CLOSED) for name, state in _by("name", BREAKER_STATE).items()}


def _by(label: str, gauge: Gauge) -> dict[str, float]:
    return {sample.labels[label]: sample.value for metric in gauge.collect() for sample in metric.samples}
