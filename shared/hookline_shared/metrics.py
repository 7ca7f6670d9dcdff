"""The metrics that both services have. Each service adds its own in its own `metrics.py`.

Labels never carry numbers, SIDs or anything else without bound.
"""

from collections.abc import Callable, Iterable

from prometheus_client import REGISTRY, Counter, Gauge
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from hookline_shared.timings import Timings


class Tally(Collector):
    """A counter with labels for the event loop alone, for what is counted with every event.

    prometheus_client's own takes a lock each time, which makes it five times as dear. Every value of a label must be one of a
    small, fixed set.
    """

    def __init__(self, name: str, documentation: str, *labels: str) -> None:
        self.name = name
        self.documentation = documentation
        self.labels = labels
        self._counts: dict[tuple[object, ...], int] = {}
        REGISTRY.register(self)

    def count(self, *values: object) -> None:
        """Count one, under the labels' `values`."""
        self._counts[values] = self._counts.get(values, 0) + 1

    def of(self, *values: object) -> int:
        """Tell how many were counted so far under `values`."""
        return self._counts.get(values, 0)

    def total(self, holds: Callable[[tuple[object, ...]], bool]) -> int:
        """Tell how many were counted so far under values for which `holds` is true."""
        return sum(count for values, count in self._counts.items() if holds(values))

    def describe(self) -> Iterable[CounterMetricFamily]:
        """Give the metric's name to the registry."""
        return [CounterMetricFamily(self.name, self.documentation, labels=self.labels)]

    def collect(self) -> Iterable[CounterMetricFamily]:
        """Give the counts to whoever scrapes."""
        family = CounterMetricFamily(self.name, self.documentation, labels=self.labels)
        for values, count in self._counts.items():
            family.add_metric([str(value) for value in values], count)
        return [family]


REDIS_OPERATION_SECONDS = Timings("hookline_redis_operation_seconds", "Duration of a Redis operation", "operation")
REDIS_UP = Gauge("hookline_redis_up", "1 while Redis answers, else 0")
REDIS_POOL_CONNECTIONS = Gauge(
    "hookline_redis_pool_connections", "Connections to Redis, and calls that wait for one", ["pool", "state"]
)
REDIS_CONNECTIONS = Counter(
    "hookline_redis_connections_total",
    "Connections to Redis that were created, recycled because of their age, or failed",
    ["pool", "event"],
)
REDIS_DATA_AT_RISK = Gauge(
    "hookline_redis_data_at_risk", "1 if the configuration of Redis can lose events, by reason", ["reason"]
)
REDIS_REPLICAS = Gauge("hookline_redis_replicas", "Replicas in sync; with several masters, of the one with the fewest")
REDIS_REPLICA_LAG_BYTES = Gauge(
    "hookline_redis_replica_lag_bytes", "Lag of the best replica; with several masters, the largest"
)
BREAKER_STATE = Gauge("hookline_breaker_state", "0 closed, 1 half-open, 2 open", ["name"])
BREAKER_TRANSITIONS = Counter("hookline_breaker_transitions_total", "Changes of a breaker, by its new state", ["name", "to"])
TASKS = Gauge("hookline_tasks", "Tasks in the event loop")
LOOP_LAG_SECONDS = Gauge("hookline_loop_lag_seconds", "Longest delay of the event loop in the last 15 s")
EVENTS = Tally("hookline_events_total", "Events, by topic, kind and outcome", "topic", "kind", "outcome")
ALERT = Gauge("hookline_alert", "1 while an alert is firing, else 0", ["name", "level", "subject"])
ALERT_POSTS = Counter(
    "hookline_alert_posts_total",
    "Alerts posted to ALERT_URL, by outcome: sent, failed or left_out",
    ["outcome"],
)
