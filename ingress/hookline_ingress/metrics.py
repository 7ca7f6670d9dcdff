"""The metrics of ingress."""

from functools import cache
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from hookline_shared.observability.metrics import FastCounter
from hookline_shared.observability.timings import FastHistograms

REQUESTS = FastCounter(
    "hookline_ingress_requests_total", "Requests, by route, status code and outcome", "route", "code", "outcome"
)
_REQUESTS = FastHistograms("hookline_ingress_request_seconds", "Time from a request's first byte to its response")
REQUEST_SECONDS: Final = _REQUESTS.of()
_STAGES = FastHistograms("hookline_ingress_stage_seconds", "Time of each stage of an accepted request", "stage")
STAGE_SECONDS: Final = {stage: _STAGES.of(stage) for stage in ("read", "verify", "translate", "write", "reply")}
"""read: from the first byte of a request to its last; verify: decoding and the signature; translate: making events; write:
until the events are safe; reply: until the response was passed to the system."""

LIVE = FastCounter(
    "hookline_live_total",
    "Replies on live routes, by outcome: answered, held, fell_back, foreign (another call's), or why the event was not stored",
    "outcome",
)
_LIVE = FastHistograms("hookline_live_seconds", "Time from a request's first byte to its response, on live routes")
LIVE_SECONDS: Final = _LIVE.of()
_LATE = FastHistograms("hookline_live_late_seconds", "Time from the first request to the answer, of calls that were held")
LATE_SECONDS: Final = _LATE.of()
LIVE_WAITING = Gauge("hookline_live_waiting", "Requests that wait for the answers of handlers")

BATCH_EVENTS = Histogram(
    "hookline_ingress_batch_events", "Events written to Redis in one call", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
)
SIGNERS = FastCounter("hookline_ingress_signed_total", "Verified requests, by the secret that verified them", "signer")
TOKENS_ASKED = FastCounter(
    "hookline_ingress_tokens_asked_total", "Accounts that TWILIO_TOKENS_PROVIDER was asked for, by outcome", "outcome"
)
CONNECTIONS = Gauge("hookline_ingress_connections", "Open connections")
READ_BYTES = Gauge("hookline_ingress_read_bytes", "Bytes of requests that have not arrived as a whole or wait for their turn")
SPOOL_EVENTS = Gauge("hookline_spool_events", "Events in the spool")
SPOOL_BYTES = Gauge("hookline_spool_bytes", "Size of the events in the spool")
SPOOL_FILL = Gauge("hookline_spool_fill_ratio", "Share of INGRESS_SPOOL_MAX_MB in use, from 0 to 1")
SPOOL_REFUSING = Gauge("hookline_spool_refusing", "1 while the disk of the spool takes no events, else 0")
SPOOL_READ_ERRORS = Counter("hookline_spool_read_errors_total", "Failed attempts to read events from the spool")
LIMITS_SHARED = Gauge("hookline_limits_shared", "1 while rate limits are shared with the other ingress processes, else 0")
DRAINED = Counter("hookline_spool_drained_total", "Events moved from the spool to Redis, by outcome", ["outcome"])

count_drained = cache(DRAINED.labels)
"""Returns the counter of an outcome: new, duplicate or dead."""
