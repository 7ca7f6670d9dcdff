"""The dashboard of ingress."""

from typing import Any

from panels import Row, dashboard, heat, lines, number
from redis_row import redis_row

_RATE = "[$__rate_interval]"


def ingress() -> dict[str, Any]:
    """Return the dashboard as JSON for Grafana."""
    rows = [_overview(), _requests(), _stages(), _spool_and_signatures(), redis_row("hookline-ingress")]
    return dashboard("hookline-ingress", "Hookline: ingress", "From Twilio to Redis. What to do: docs/runbook.md.", rows)


def _overview() -> Row:
    """Return the numbers that tell at a glance whether ingress works."""
    accepted = f'sum(rate(hookline_ingress_requests_total{{code=~"2.."}}{_RATE}))'
    return Row(
        4,
        [
            number("Ingress processes", "That answer.", 'sum(up{job="hookline-ingress"})'),
            number("Webhooks accepted", "Answered with a 2xx.", accepted, "reqps"),
            number(
                "Refused with a 5xx",
                "Lost, unless Twilio tries again.",
                f'(sum(rate(hookline_ingress_requests_total{{code=~"5.."}}{_RATE})) or vector(0)) '
                f"/ sum(rate(hookline_ingress_requests_total{_RATE}))",
                "percentunit",
                yellow=0.001,
                red=0.01,
            ),
            number(
                "Reply, p99",
                "From the first byte of a request to its answer.",
                f"histogram_quantile(0.99, sum by (le) (rate(hookline_ingress_request_seconds_bucket{_RATE})))",
                "s",
                yellow=0.1,
                red=0.25,
            ),
            number("Events in spools", "Redis did not take them yet.", "sum(hookline_spool_events)", yellow=1, red=1000),
            number(
                "Fullest spool",
                "At 100 % webhooks get a 503.",
                "max(hookline_spool_fill_ratio)",
                "percentunit",
                yellow=0.3,
                red=0.5,
            ),
        ],
    )


def _requests() -> Row:
    """Return the requests by outcome and by time."""
    return Row(
        8,
        [
            lines(
                "Requests, by what became of them",
                "accepted, duplicate and spooled are 2xx; the others are refused.",
                {"{{outcome}}": f"sum by (outcome) (rate(hookline_ingress_requests_total{_RATE}))"},
                "reqps",
                stacked=True,
            ),
            heat(
                "Time to the answer",
                "How many requests were answered within how long.",
                f"sum by (le) (increase(hookline_ingress_request_seconds_bucket{_RATE}))",
            ),
        ],
    )


def _stages() -> Row:
    """Return where the time goes, and what is written."""
    return Row(
        7,
        [
            lines(
                "Stages of a request, on average",
                "read: the sender. verify, translate, reply: CPU. write: Redis, or the spool's disk.",
                {
                    "{{stage}}": f"sum by (stage) (rate(hookline_ingress_stage_seconds_sum{_RATE})) "
                    f"/ sum by (stage) (rate(hookline_ingress_stage_seconds_count{_RATE}))"
                },
                "s",
                stacked=True,
            ),
            lines(
                "Events accepted, by topic",
                "In Redis or in the spool.",
                {"{{topic}}": f'sum by (topic) (rate(hookline_events_total{{outcome=~"accepted|spooled"}}{_RATE}))'},
                "cps",
                stacked=True,
            ),
            lines(
                "Events in one write to Redis",
                "Grows with load by itself.",
                {
                    "on average": f"sum(rate(hookline_ingress_batch_events_sum{_RATE})) "
                    f"/ sum(rate(hookline_ingress_batch_events_count{_RATE}))"
                },
            ),
        ],
    )


def _spool_and_signatures() -> Row:
    """Return the spool, and who signs and connects."""
    return Row(
        7,
        [
            lines(
                "Spool",
                "Events there now, and those that went on to Redis per second.",
                {
                    "wait on {{instance}}": "hookline_spool_events",
                    "delivered: {{outcome}}": f"sum by (outcome) (rate(hookline_spool_drained_total{_RATE}))",
                },
            ),
            lines(
                "Signatures, by the secret that was right",
                "An old token that signs nothing any more can be removed.",
                {"{{signer}}": f"sum by (signer) (rate(hookline_ingress_signed_total{_RATE}))"},
                "reqps",
            ),
            lines("Connections", "Open, of whoever sends.", {"{{instance}}": "hookline_ingress_connections"}),
        ],
    )
