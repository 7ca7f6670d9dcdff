"""The metrics that both services have. Each service adds its own in its own `metrics.py`.

Labels never carry numbers, SIDs or anything else without bound.
"""

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

FAST_SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.125, 0.25, 0.5, 1, 2, 5, 15)
"""Buckets for what should take milliseconds: replies and Redis operations."""

REDIS_OPERATION_SECONDS = Histogram(
    "hookline_redis_operation_seconds", "Time a Redis operation took", ["operation"], buckets=FAST_SECONDS
)
REDIS_UP = Gauge("hookline_redis_up", "1 while Redis answers, else 0")
REDIS_POOL_CONNECTIONS = Gauge(
    "hookline_redis_pool_connections", "Connections to Redis, and calls waiting for one, now", ["pool", "state"]
)
REDIS_CONNECTIONS = Counter(
    "hookline_redis_connections_total",
    "Connections to Redis that were created, recycled for their age, or failed",
    ["pool", "event"],
)
REDIS_DATA_AT_RISK = Gauge(
    "hookline_redis_data_at_risk", "1 where Redis is set up in a way that can lose events, by reason", ["reason"]
)
REDIS_REPLICAS = Gauge("hookline_redis_replicas", "Replicas in step; of several masters, of the one that has fewest")
REDIS_REPLICA_LAG_BYTES = Gauge(
    "hookline_redis_replica_lag_bytes", "How far the best replica is behind; of several masters, at worst"
)
BREAKER_STATE = Gauge("hookline_breaker_state", "0 closed, 1 half-open, 2 open", ["name"])
BREAKER_TRANSITIONS = Counter("hookline_breaker_transitions_total", "Changes of a breaker, by the new state", ["name", "to"])
TASKS = Gauge("hookline_tasks", "Tasks in the event loop at its last heartbeat")
LOOP_LAG_SECONDS = Gauge("hookline_loop_lag_seconds", "By how much the event loop was late at its last heartbeat")
EVENTS = Counter("hookline_events_total", "Events, by topic, kind and outcome", ["topic", "kind", "outcome"])

count_event = cache(EVENTS.labels)
"""Gives the counter of (topic, kind, outcome); all three are of small, fixed sets."""
