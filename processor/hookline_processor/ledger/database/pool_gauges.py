"""The metrics of the connection pool of SQLAlchemy."""

from collections.abc import Callable
from functools import partial
from typing import Final, cast

from prometheus_client import Counter
from sqlalchemy import QueuePool, event
from sqlalchemy.ext.asyncio import AsyncEngine

from hookline_processor.ledger.metrics import DATABASE_CONNECTIONS, DATABASE_POOL_CONNECTIONS

_EVENTS: Final = {
    "connect": "created",
    "invalidate": "invalidated",
    "soft_invalidate": "invalidated",
    "close": "closed",
    "close_detached": "closed",
}


def export_pool_metrics(engine: AsyncEngine) -> None:
    """Register the pool of `engine` with the metrics, which then follow it."""
    pool = cast("QueuePool", engine.pool)
    counts = {
        "size": pool.size,
        "in_use": pool.checkedout,
        "idle": pool.checkedin,
        "overflow": lambda: max(0, pool.overflow()),
    }
    for state, count in counts.items():
        DATABASE_POOL_CONNECTIONS.labels(state).set_function(partial(_as_float, count))
    for name, label in _EVENTS.items():
        event.listen(engine.sync_engine, name, partial(_count, DATABASE_CONNECTIONS.labels(label)))


def is_exhausted(engine: AsyncEngine) -> bool:
    """Whether all connections that the pool of `engine` may open are in use."""
    pool = cast("QueuePool", engine.pool)
    return pool.checkedout() >= pool.size() + pool._max_overflow


def count_waiting() -> float:
    """Return the number of calls that wait for a connection."""
    samples = (sample for metric in DATABASE_POOL_CONNECTIONS.collect() for sample in metric.samples)
    return sum(sample.value for sample in samples if sample.labels["state"] == "waiting")


def _as_float(count: Callable[[], int]) -> float:
    return float(count())


def _count(counter: Counter, *_arguments: object) -> None:
    counter.inc()
