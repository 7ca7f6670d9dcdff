"""Shows SQLAlchemy's pool in the metrics."""

from collections.abc import Callable
from functools import partial
from typing import Final, cast

from prometheus_client import Counter
from sqlalchemy import QueuePool, event
from sqlalchemy.ext.asyncio import AsyncEngine

from processor.ledger.metrics import DATABASE_CONNECTIONS, DATABASE_POOL_CONNECTIONS

_EVENTS: Final = {
    "connect": "created",
    "invalidate": "invalidated",
    "soft_invalidate": "invalidated",
    "close": "closed",
    "close_detached": "closed",
}


def show_pool(engine: AsyncEngine) -> None:
    """Keep the metrics of the pool of `engine` up to date."""
    pool = cast("QueuePool", engine.pool)
    counts = {
        "size": pool.size,
        "in_use": pool.checkedout,
        "idle": pool.checkedin,
        "overflow": lambda: max(0, pool.overflow()),
    }
    for state, count in counts.items():
        DATABASE_POOL_CONNECTIONS.labels(state).set_function(partial(_as_float, count))
    for name, told in _EVENTS.items():
        event.listen(engine.sync_engine, name, partial(_count, DATABASE_CONNECTIONS.labels(told)))


def _as_float(count: Callable[[], int]) -> float:
    return float(count())


def _count(counter: Counter, *_about: object) -> None:
    counter.inc()
