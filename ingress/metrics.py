"""The metrics of ingress."""

from functools import cache

from prometheus_client import Counter, Histogram

from shared.metrics import FAST_SECONDS

REQUESTS = Counter(
    "hookline_ingress_requests_total", "Requests, by route, status code and outcome", ["route", "code", "outcome"]
)
REQUEST_SECONDS = Histogram(
    "hookline_ingress_request_seconds", "Time from the request's head to its answer", buckets=FAST_SECONDS
)
BATCH_EVENTS = Histogram(
    "hookline_ingress_batch_events", "Events written to Redis in one call", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
)
SIGNERS = Counter("hookline_ingress_signed_total", "Verified requests, by the secret that verified them", ["signer"])

count_signer = cache(SIGNERS.labels)
"""Gives the counter of a secret's name."""
count_request = cache(REQUESTS.labels)
"""Gives the counter of (route, code, outcome); all three are of small, fixed sets."""
