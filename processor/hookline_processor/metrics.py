"""The metrics of the processor."""

from prometheus_client import Counter, Gauge

from hookline_shared.observability.metrics import FastCounter
from hookline_shared.observability.timings import FastHistograms

_HANDLER_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_WAIT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.5, 1, 5, 30, 60, 300, 1800, 3600, 21600)

HANDLER_SECONDS = FastHistograms("hookline_handler_seconds", "Duration of one attempt of a handler", "kind", _HANDLER_BUCKETS)
WAIT_SECONDS = FastHistograms(
    "hookline_wait_seconds", "Time from receiving an event to the start of its first attempt", "topic", _WAIT_BUCKETS
)
FAILED_ATTEMPTS = FastCounter(
    "hookline_handler_failures_total", "Attempts that failed with an error or a time-out (not Reject or RetryLater)", "kind"
)
OVERDUE = Counter(
    "hookline_handler_overdue_total",
    "Attempts whose handler kept running after its time-out: a plain function, or one that ignores its cancellation",
    ["kind"],
)
BLOCKED_LOOP = Counter("hookline_handler_blocked_loop_total", "Times a handler blocked the event loop", ["handler"])
GROUPS_RECREATED = Counter("hookline_groups_recreated_total", "Times a partition's consumer groups were missing in Redis")
BODIES_GONE = Counter("hookline_bodies_gone_total", "Pending events whose body was missing in Redis", ["topic"])
FENCED = Counter("hookline_fenced_total", "Settlements refused because another processor had taken the partition")
PARTITIONS = Gauge("hookline_partitions", "Partitions that the processors share")
PARTITIONS_OWNED = Gauge("hookline_partitions_owned", "Partitions this processor owns")
BACKLOG_EVENTS = Gauge("hookline_backlog_events", "Unsettled events, without those that wait for a time", ["topic"])
OLDEST_EVENT_SECONDS = Gauge(
    "hookline_oldest_event_seconds", "Age of the oldest unsettled event that does not wait in Redis", ["topic"]
)
RETRYING_EVENTS = Gauge("hookline_retrying_events", "Events that wait for a time", ["topic"])
WAITING_EVENTS = Gauge("hookline_waiting_events", "Conversations that wait in Redis, by what for", ["topic", "reason"])
PENDING_EVENTS = Gauge("hookline_pending_events", "Unsettled events that a processor has read", ["topic"])
DEAD_EVENTS = Gauge("hookline_dead_events", "Dead letters", ["topic"])
MESSAGES = FastCounter(
    "hookline_messages_total",
    "Messages, by outcome: sent, refused, opted_out, unfit or unknown; on the way there doubt, found, repeated or swapped",
    "outcome",
)
FORWARDED = FastCounter(
    "hookline_forwarded_total",
    "Attempts to forward an event to an app, by outcome: accepted, failed, away (no attempt of the event is used up) or unfit",
    "outcome",
)
MESSAGES_IN_DOUBT = Gauge("hookline_messages_in_doubt", "Messages of which nobody knows yet whether Twilio has them")
CLOSED_ACCOUNTS = Gauge("hookline_closed_accounts", "Accounts whose messages wait: their credentials are missing or refused")
