"""The metrics of both services. Each service has its own in its own `metrics.py`.

Labels never have phone numbers, SIDs or other unbounded values.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable

from prometheus_client import REGISTRY, Counter, Gauge
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from hookline_shared.observability.timings import FastHistograms


class FastCounter(Collector):
    """A counter with labels, for use in the event loop only and for what is counted with every event.

    The counter of prometheus_client takes a lock each time, which makes it five times as slow. Every label must have a small,
    fixed set of values.
    """

    def __init__(self, name: str, documentation: str, *labels: str) -> None:
        self.name = name
        self.documentation = documentation
        self.labels = labels
        self._counts: defaultdict[tuple[object, ...], int] = defaultdict(int)
        REGISTRY.register(self)

    def count(self, *values: object) -> None:
        """Add one under the labels' `values`."""
        self._counts[values] += 1

    def count_many(self, number: int, *values: object) -> None:
        """Add `number` under the labels' `values`."""
        self._counts[values] += number

    def of(self, *values: object) -> int:
        """Return the count under `values`."""
        return self._counts.get(values, 0)

    def total(self, holds: Callable[[tuple[object, ...]], bool]) -> int:
        """Return the count under all values for which `holds` is true."""
        return sum(count for values, count in self._counts.items() if holds(values))

    def describe(self) -> Iterable[CounterMetricFamily]:
        """Return the metric's name for the registry."""
        return [CounterMetricFamily(self.name, self.documentation, labels=self.labels)]

    def collect(self) -> Iterable[CounterMetricFamily]:
        """Return the counts for a scrape."""
        family = CounterMetricFamily(self.name, self.documentation, labels=self.labels)
        for values, count in self._counts.items():
            family.add_metric([str(value) for value in values], count)
        return [family]


REDIS_OPERATION_SECONDS = FastHistograms("hookline_redis_operation_seconds", "Duration of a Redis operation", "operation")
REDIS_UP = Gauge("hookline_redis_up", "1 while Redis answers, else 0")
REDIS_POOL_CONNECTIONS = Gauge(
    "hookline_redis_pool_connections", "Connections to Redis, and calls that wait for one", ["pool", "state"]
)
REDIS_CONNECTIONS = Counter(
    "hookline_redis_connections_total",
    "Connections to Redis that were created, recycled because of their age, or failed",
    ["pool", "event"],
)
LIVE_PROCESSORS = Gauge("hookline_live_processors", "Processors with a recent heartbeat in Redis, as this service sees it")
UNREAD_PARTITIONS = Gauge("hookline_unread_partitions", "Partitions in which nobody reads a topic", ["topic"])
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
EVENTS = FastCounter("hookline_events_total", "Events, by topic, kind and outcome", "topic", "kind", "outcome")
UNCLAIMED_EVENTS = FastCounter(
    "hookline_unclaimed_events_total",
    "Events stored without a claim on their signature: in a cluster, its master did not answer",
)
LOG_LINES_DROPPED = FastCounter(
    "hookline_log_lines_dropped_total", "Log lines that could not be written: a full or closed pipe, a full disk"
)
LOG_LINES_DROPPED.count_many(0)
ALERT = Gauge("hookline_alert", "1 while an alert is firing, else 0", ["name", "level", "subject"])
ALERT_POSTS = Counter(
    "hookline_alert_posts_total",
    "Alerts posted to ALERT_URL, by outcome: sent, failed or left_out",
    ["outcome"],
)
