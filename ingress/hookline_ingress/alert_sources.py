"""The values of ingress' alerts: response times, rejected requests, the speed of Redis, and the spool.

They are computed from the metrics, so they add nothing to the cost of a request.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hookline_ingress.metrics import LIVE, LIVE_SECONDS, REQUEST_SECONDS, REQUESTS, SIGNERS
from hookline_ingress.spool.spool import Spool
from hookline_shared.alerts.disk_space import DiskSpace
from hookline_shared.alerts.measures import Measure, common_measures
from hookline_shared.alerts.sliding_window import SlidingWindow, proportion, quantile
from hookline_shared.alerts.thresholds import Threshold
from hookline_shared.observability.metrics import REDIS_OPERATION_SECONDS
from hookline_shared.observability.timings import FastHistogram

_QUANTILE: Final = 0.99
"""The quantile of the response times."""
_SPARED: Final = 2
"""Slow requests that are ignored: with little traffic, two are already more than 1 %."""
_REDIRECTIONS: Final = 300
_SERVER_ERRORS: Final = 500
_WRONGLY_SIGNED: Final = ("bad_signature", "flooding_signed")
"""Outcomes of signed requests. An address that keeps sending invalid signatures is soon blocked as flooding, and its requests
are not read. Requests without a signature are not from Twilio, so they do not count."""
_LEAST_WRONG: Final = 3
_HEARD: Final = ("answered", "held")
"""Outcomes on live routes that are no fallback."""
_OF_THE_SENDER: Final = (*_WRONGLY_SIGNED, "too_large", "too_many_events", "no_memory", "no_token")
"""Outcomes that anyone can cause. Event Streams get a 5xx for them, which is no failure of ours."""


def measures(limits: Mapping[str, Threshold], spool: Spool | None, spool_path: Path | None) -> dict[str, Measure]:
    """Return the measures by the name of the alert. Without a spool, those of the spool are missing."""
    found = common_measures(limits) | {
        "reply_slow": _slowest_of_ours(_window(limits, "reply_slow")),
        "callers_fell_back": _fallbacks(_window(limits, "callers_fell_back")),
        "write_slow": _slowest(REDIS_OPERATION_SECONDS.of("append"), _window(limits, "write_slow")),
        "refusals_high": _refusals(_window(limits, "refusals_high")),
        "signatures_failing": _signatures(_window(limits, "signatures_failing")),
    }
    if spool is not None and spool_path is not None:
        found |= {
            "spool_filling": lambda _now: {"": spool.fill},
            "spool_refusing": lambda _now: {spool.cause: 1.0} if spool.cause else {},
            "spool_waiting": _time_filled(spool),
            "disk_low": DiskSpace("spool", spool_path),
        }
    return found


def _window(limits: Mapping[str, Threshold], name: str) -> SlidingWindow:
    return SlidingWindow(limits[name].window_s or 0.0)


def _slowest(timing: FastHistogram, window: SlidingWindow) -> Measure:
    def measure(now: float) -> dict[str, float]:
        return {"": quantile(timing.bounds, window.grown(timing.counts, now), _QUANTILE, _SPARED)}

    return measure


def _slowest_of_ours(window: SlidingWindow) -> Measure:
    """Return the measure of response times, without those of live routes, which wait for handlers."""

    def measure(now: float) -> dict[str, float]:
        ours = [max(0, every - live) for every, live in zip(REQUEST_SECONDS.counts, LIVE_SECONDS.counts, strict=True)]
        return {"": quantile(REQUEST_SECONDS.bounds, window.grown(ours, now), _QUANTILE, _SPARED)}

    return measure


def _fallbacks(window: SlidingWindow) -> Measure:
    def measure(now: float) -> dict[str, float]:
        (fell_back,) = window.grown([LIVE.total(lambda labels: labels[0] not in _HEARD)], now)
        return {"": fell_back}

    return measure


def _refusals(window: SlidingWindow) -> Measure:
    def measure(now: float) -> dict[str, float]:
        refused, accepted = REQUESTS.total(_is_our_refusal), REQUESTS.total(_is_accepted)
        refused_now, asked_now = window.grown((refused, refused + accepted), now)
        return {"": proportion(refused_now, asked_now)}

    return measure


def _is_our_refusal(labels: tuple[object, ...]) -> bool:
    return int(str(labels[1])) >= _SERVER_ERRORS and labels[2] not in _OF_THE_SENDER


def _is_accepted(labels: tuple[object, ...]) -> bool:
    return int(str(labels[1])) < _REDIRECTIONS


def _signatures(window: SlidingWindow) -> Measure:
    def measure(now: float) -> dict[str, float]:
        wrong = REQUESTS.total(lambda labels: labels[2] in _WRONGLY_SIGNED)
        wrong_now, signed_now = window.grown((wrong, wrong + SIGNERS.total(lambda _labels: True)), now)
        return {"": proportion(wrong_now, signed_now) if wrong_now >= _LEAST_WRONG else 0.0}

    return measure


def _time_filled(spool: Spool) -> Measure:
    filled_since: float | None = None

    def measure(now: float) -> dict[str, float]:
        nonlocal filled_since
        filled_since = (now if filled_since is None else filled_since) if spool.events else None
        return {"": 0.0 if filled_since is None else now - filled_since}

    return measure
