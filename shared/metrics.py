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
LOOP_LAG_SECONDS = Gauge("hookline_loop_lag_seconds", "By how much the event loop was late at its last heartbeat")
EVENTS = Counter("hookline_events_total", "Events, by topic, kind and outcome", ["topic", "kind", "outcome"])

count_event = cache(EVENTS.labels)
"""Gives the counter of (topic, kind, outcome); all three are of small, fixed sets."""
