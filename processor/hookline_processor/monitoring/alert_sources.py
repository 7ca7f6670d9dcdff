"""The values of the processor's alerts: the backlog and its age, failures, and the lag of the ledger.

They are computed from the metrics, so they cost no event anything.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from hookline_processor.metrics import BODIES_GONE, FAILED_ATTEMPTS, GROUPS_RECREATED, HANDLER_SECONDS
from hookline_processor.monitoring.backlog import BacklogGauges, BacklogSample
from hookline_processor.monitoring.trend import Trend
from hookline_shared.alerts.disk_space import DiskSpace
from hookline_shared.alerts.measures import Measure, common_measures, counted, redis_pools, redis_risks
from hookline_shared.alerts.sliding_window import SlidingWindow, SlidingWindows, proportion
from hookline_shared.alerts.thresholds import Threshold
from hookline_shared.clock import Clock
from hookline_shared.observability.metrics import EVENTS

if TYPE_CHECKING:
    from hookline_processor.ledger.service import Ledger

_LEAST_ATTEMPTS: Final = 5


class AlertSources(NamedTuple):
    """The sources of the values. `backlog_limit` is in events of one topic; `ledger` is None if there is none.

    `is_leader` returns whether this processor reports, for all processors, what each of them sees alike.
    """

    gauges: BacklogGauges
    backlog_limit: int
    ledger: "Ledger | None"
    is_leader: Callable[[], bool]


def measures(limits: Mapping[str, Threshold], watched: AlertSources, clock: Clock) -> dict[str, Measure]:
    """Return the measures by the name of the alert. Without a ledger, those of the ledger are missing."""
    gauges, backlog_limit, ledger, is_leader = watched
    found = common_measures(limits) | {
        "backlog_high": _of_all(is_leader, _fill(gauges, backlog_limit)),
        "backlog_growing": _of_all(is_leader, _growth(gauges, backlog_limit, limits["backlog_growing"].window_s or 0.0)),
        "oldest_event_old": _of_all(is_leader, _ages(gauges, clock)),
        "redis_at_risk": _of_all(is_leader, lambda _now: redis_risks()),
        "dead_letters_growing": _deaths(SlidingWindow(limits["dead_letters_growing"].window_s or 0.0)),
        "data_gone": _losses(SlidingWindow(limits["data_gone"].window_s or 0.0)),
        "handlers_failing": _failures(SlidingWindows(limits["handlers_failing"].window_s or 0.0)),
    }
    if ledger is not None:
        found |= {
            "ledger_behind": lambda _now: {"": ledger.fill},
            "pool_saturated": lambda _now: redis_pools() | {"database": ledger.waiting_for_connection()},
        }
        if ledger.file is not None:
            found["disk_low"] = DiskSpace("ledger", Path(ledger.file))
    return found


def _of_all(is_leader: Callable[[], bool], measure: Measure) -> Measure:
    """Return `measure` with no subjects while this processor does not speak for all."""
    return lambda now: measure(now) if is_leader() else {}


def _fill(gauges: BacklogGauges, limit: int) -> Measure:
    def measure(_now: float) -> dict[str, float] | None:
        look = gauges.known()
        return look and {topic: backlog.events / limit for topic, backlog in look.topics.items()}

    return measure


def _ages(gauges: BacklogGauges, clock: Clock) -> Measure:
    def measure(_now: float) -> dict[str, float] | None:
        look = gauges.known()
        return look and {topic: backlog.age_s(clock.now_ms()) for topic, backlog in look.topics.items()}

    return measure


def _growth(gauges: BacklogGauges, limit: int, window_s: float) -> Measure:
    trends: dict[str, Trend] = {}
    seen: BacklogSample | None = None

    def measure(_now: float) -> dict[str, float] | None:
        nonlocal seen
        look = gauges.known()
        if look is None:
            return None
        if look is not seen:
            for topic, backlog in look.topics.items():
                trends.setdefault(topic, Trend(window_s)).add(look.at, backlog.events)
            seen = look
        return {topic: trend.seconds_to(limit) for topic, trend in trends.items()}

    return measure


def _deaths(window: SlidingWindow) -> Measure:
    def measure(now: float) -> dict[str, float]:
        (died,) = window.grown((EVENTS.total(lambda labels: labels[2] == "dead"),), now)
        return {"": died}

    return measure


def _losses(window: SlidingWindow) -> Measure:
    def measure(now: float) -> dict[str, float]:
        (lost,) = window.grown((counted(GROUPS_RECREATED) + counted(BODIES_GONE),), now)
        return {"": lost}

    return measure


def _failures(window: SlidingWindows) -> Measure:
    def measure(now: float) -> dict[str, float]:
        counts = {kind: (FAILED_ATTEMPTS.of(kind), attempts) for kind, attempts in HANDLER_SECONDS.numbers().items()}
        return {
            kind: proportion(failed, attempts, _LEAST_ATTEMPTS)
            for kind, (failed, attempts) in window.grown(counts, now).items()
        }

    return measure
