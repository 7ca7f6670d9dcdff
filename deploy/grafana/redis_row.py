"""The row about Redis and the process, on the dashboards of both services."""

from panels import Row, lines

_RATE = "[$__rate_interval]"

_ROW = Row(
    7,
    [
        lines(
            "Redis, p99 of each operation",
            "append is what replies wait for; settle and xreadgroup are what handling waits for.",
            {
                "{{operation}}": "histogram_quantile(0.99, sum by (operation, le) "
                f'(rate(hookline_redis_operation_seconds_bucket{{job="$job"}}{_RATE})))'
            },
            "s",
        ),
        lines(
            "Connections to Redis",
            "Calls that wait for one: all are in use.",
            {"{{pool}} {{state}}": 'sum by (pool, state) (hookline_redis_pool_connections{job="$job"})'},
        ),
        lines(
            "Breakers",
            "0 closed, 1 half-open, 2 open: what it is named after is left alone but for probes.",
            {"{{name}}": 'max by (name) (hookline_breaker_state{job="$job"})'},
            yellow=1,
            red=2,
        ),
        lines(
            "Event loop, how late",
            "Everything in a process waits for its loop. Above 0.25 s something blocks it, or it lacks CPU.",
            {"{{instance}}": 'max by (instance) (hookline_loop_lag_seconds{job="$job"})'},
            "s",
            yellow=0.1,
            red=0.25,
        ),
    ],
)
"""The row that both services have; `$job` is that of the service."""


def redis_row(job: str) -> Row:
    """Return the row of the service that Prometheus scrapes as `job`."""
    panels = [
        panel._replace(queries={legend: query.replace("$job", job) for legend, query in panel.queries.items()})
        for panel in _ROW.panels
    ]
    return _ROW._replace(panels=panels)
