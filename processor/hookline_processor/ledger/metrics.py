"""The metrics of the ledger and of its database."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

LEDGER_EVENTS = Counter(
    "hookline_ledger_events_total",
    "Settled events, by outcome in the database: written, stripped of what it refused, or set_aside",
    ["outcome"],
)
LEDGER_WAITING = Gauge(
    "hookline_ledger_waiting_events", "Settled events of this processor's partitions that are not yet in the database"
)
LEDGER_BATCH_SECONDS = Histogram("hookline_ledger_batch_seconds", "Duration of a batch in the database", buckets=_SECONDS)
LEDGER_REMOVED = Counter("hookline_ledger_removed_total", "Rows removed because they were older than the retention", ["table"])
DATABASE_POOL_CONNECTIONS = Gauge(
    "hookline_database_pool_connections",
    "Connections to the database: the pool's size, those in use, idle, and beyond the size; and calls that wait for one",
    ["state"],
)
DATABASE_CONNECTIONS = Counter(
    "hookline_database_connections_total", "Connections to the database that were created, invalidated or closed", ["event"]
)
