"""The dashboard of the processor."""

from typing import Any

from panels import Row, dashboard, heat, lines, number
from redis_row import redis_row

_RATE = "[$__rate_interval]"


def processor() -> dict[str, Any]:
    """Return the dashboard as JSON for Grafana."""
    rows = [_overview(), _attempts(), _backlog(), _handlers(), _partitions_and_ledger(), redis_row("hookline-processor")]
    return dashboard(
        "hookline-processor", "Hookline: processor", "From Redis to your handlers. What to do: docs/runbook.md.", rows
    )


def _overview() -> Row:
    """Return the numbers that tell at a glance whether the processor works."""
    return Row(
        4,
        [
            number("Processors", "That answer.", 'sum(up{job="hookline-processor"})'),
            number(
                "Partitions without owner",
                "Their conversations wait.",
                "max(hookline_partitions) - sum(hookline_partitions_owned)",
                red=1,
            ),
            number("Backlog", "Events that are not settled.", "sum(topic:hookline_backlog_events:max)", yellow=1000, red=10000),
            number(
                "Oldest event",
                "How long it has waited.",
                "max(topic:hookline_oldest_event_seconds:max)",
                "s",
                yellow=60,
                red=300,
            ),
            number("Wait for a time", "For a retry, or RetryLater.", "sum(hookline_retrying_events)", yellow=1),
            number(
                "Dead letters",
                "hookline dead list says why.",
                "sum(max by (topic) (hookline_dead_events))",
                yellow=1,
                red=10,
            ),
        ],
    )


def _attempts() -> Row:
    """Return the attempts by outcome, and the time before them."""
    return Row(
        8,
        [
            lines(
                "Attempts, by how they ended",
                "retry: it failed, or asked to come again, and is tried again. dead: it was given up.",
                {"{{outcome}}": f'sum by (outcome) (rate(hookline_events_total{{outcome=~"done|retry|dead"}}{_RATE}))'},
                "cps",
                stacked=True,
            ),
            heat(
                "Time from the webhook to its handler",
                "How many events began within how long after they came.",
                f"sum by (le) (increase(hookline_wait_seconds_bucket{_RATE}))",
            ),
        ],
    )


def _backlog() -> Row:
    """Return the backlog by topic."""
    return Row(
        7,
        [
            lines("Backlog, by topic", "Events that are not settled.", {"{{topic}}": "topic:hookline_backlog_events:max"}),
            lines(
                "Age of the oldest event, by topic",
                "With a small backlog: it is tried again and again. With a large one: there are too few workers.",
                {"{{topic}}": "topic:hookline_oldest_event_seconds:max"},
                "s",
                yellow=60,
                red=300,
            ),
            lines(
                "Waiting for a retry, by topic",
                "Their last attempt failed.",
                {"{{topic}}": "sum by (topic) (hookline_retrying_events)"},
            ),
        ],
    )


def _handlers() -> Row:
    """Return the failures and times of handlers by kind."""
    return Row(
        7,
        [
            lines(
                "Attempts that failed, by kind",
                "Share of all. Reject and RetryLater are no failures.",
                {
                    "{{kind}}": f"sum by (kind) (rate(hookline_handler_failures_total{_RATE})) "
                    f"/ sum by (kind) (rate(hookline_handler_seconds_count{_RATE}))"
                },
                "percentunit",
                red=0.2,
            ),
            lines(
                "Dead letters within 15 minutes, by kind",
                "They stay until somebody replays or discards them.",
                {"{{kind}}": "sum by (kind) (topic_kind:hookline_dead_letters:increase15m)"},
                yellow=1,
            ),
            lines(
                "Time of an attempt, p99 by kind",
                "What handlers take. At PROCESSOR_HANDLER_TIMEOUT_S they are cancelled.",
                {"{{kind}}": f"histogram_quantile(0.99, sum by (kind, le) (rate(hookline_handler_seconds_bucket{_RATE})))"},
                "s",
            ),
        ],
    )


def _partitions_and_ledger() -> Row:
    """Return the partitions by owner, and the ledger."""
    return Row(
        7,
        [
            lines(
                "Partitions, by owner",
                "Processors share them evenly. fenced: settlements refused since another had taken the partition.",
                {
                    "{{instance}}": "hookline_partitions_owned",
                    "fenced": f"sum(increase(hookline_fenced_total{_RATE}))",
                },
            ),
            lines(
                "Ledger: waits for the database",
                "At LEDGER_BACKLOG_LIMIT nothing more is handled.",
                {"events": "sum(hookline_ledger_waiting_events)"},
            ),
            lines(
                "Ledger: events in the database",
                "stripped and set_aside: the database refused what was in them.",
                {"{{outcome}}": f"sum by (outcome) (rate(hookline_ledger_events_total{_RATE}))"},
                "cps",
            ),
            lines(
                "Ledger: time of a batch, and connections",
                "p99 in seconds; connections to the database by state.",
                {
                    "p99 of a batch, s": "histogram_quantile(0.99, sum by (le) "
                    f"(rate(hookline_ledger_batch_seconds_bucket{_RATE})))",
                    "connections {{state}}": "sum by (state) (hookline_database_pool_connections)",
                },
            ),
        ],
    )
