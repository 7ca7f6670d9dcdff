"""The values of the alerts of the processor: backlog, age, failures, and the lag of the ledger.

They are computed from the metrics, at no cost per event.
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
from hookline_shared.readers.watch import ReadersWatch

if TYPE_CHECKING:
    from hookline_processor.ledger.service import Ledger
    from hookline_processor.sender.outgoing import Outbox

_MIN_ATTEMPTS: Final = 5


class AlertSources(NamedTuple):
    """The sources of the values. `backlog_limit` is a number of events of one topic; `ledger` is None without a ledger.

    `readers` knows which streams nobody reads. Nobody who is alive can tell that no processor is: ingress does.

    `is_leader` returns whether this processor reports the values that all processors see alike.
    """

    gauges: BacklogGauges
    backlog_limit: int
    ledger: "Ledger | None"
    readers: ReadersWatch
    is_leader: Callable[[], bool]
    outbox: "Outbox | None" = None


def measures(limits: Mapping[str, Threshold], sources: AlertSources, clock: Clock) -> dict[str, Measure]:
    """Return the measures by name of the alert. Without a ledger there are no measures of the ledger."""
    gauges, backlog_limit, ledger, readers, is_leader, outbox = sources
    unread = readers.measures()
    found = common_measures(limits) | {
        "backlog_high": _if_leader(is_leader, _backlog_share(gauges, backlog_limit)),
        "backlog_growing": _if_leader(
            is_leader, _time_to_limit(gauges, backlog_limit, limits["backlog_growing"].window_s or 0.0)
        ),
        "oldest_event_old": _if_leader(is_leader, _oldest_age(gauges, clock)),
        "redis_at_risk": _if_leader(is_leader, lambda _now: redis_risks()),
        "partitions_unowned": _if_leader(is_leader, unread["partitions_unowned"]),
        "topic_unread": _if_leader(is_leader, unread["topic_unread"]),
        "dead_letters_growing": _dead_letters(SlidingWindow(limits["dead_letters_growing"].window_s or 0.0)),
        "data_gone": _lost_data(SlidingWindow(limits["data_gone"].window_s or 0.0)),
        "handlers_failing": _failed_share(SlidingWindows(limits["handlers_failing"].window_s or 0.0)),
    }
    if outbox is not None:
        found |= {
            "messages_held": lambda _now: {"": float(len(outbox.accounts.problems()))},
            "messages_in_doubt": lambda _now: {"": float(len(outbox.sender.doubts()))},
        }
    if ledger is not None:
        found |= {
            "ledger_behind": lambda _now: {"": ledger.used_share},
            "pool_saturated": lambda _now: redis_pools() | {"database": ledger.waiting_for_connection()},
        }
        if ledger.file is not None:
            found["disk_low"] = DiskSpace("ledger", Path(ledger.file))
    return found


def _if_leader(is_leader: Callable[[], bool], measure: Measure) -> Measure:
    """Return `measure`, limited to the leader: any other processor measures no subjects."""
    return lambda now: measure(now) if is_leader() else {}


def _backlog_share(gauges: BacklogGauges, limit: int) -> Measure:
    def measure(_now: float) -> dict[str, float] | None:
        sample = gauges.latest()
        return sample and {topic: backlog.events / limit for topic, backlog in sample.topics.items()}

    return measure


def _oldest_age(gauges: BacklogGauges, clock: Clock) -> Measure:
    def measure(_now: float) -> dict[str, float] | None:
        sample = gauges.latest()
        return sample and {topic: backlog.age_s(clock.now_ms()) for topic, backlog in sample.topics.items()}

    return measure


def _time_to_limit(gauges: BacklogGauges, limit: int, window_s: float) -> Measure:
    trends: dict[str, Trend] = {}
    latest: BacklogSample | None = None

    def measure(_now: float) -> dict[str, float] | None:
        nonlocal latest
        sample = gauges.latest()
        if sample is None:
            return None
        if sample is not latest:
            for topic, backlog in sample.topics.items():
                trends.setdefault(topic, Trend(window_s)).add(sample.at, backlog.events)
            latest = sample
        return {topic: trend.seconds_to(limit) for topic, trend in trends.items()}

    return measure


def _dead_letters(window: SlidingWindow) -> Measure:
    def measure(now: float) -> dict[str, float]:
        (dead,) = window.grown((EVENTS.total(lambda labels: labels[2] == "dead"),), now)
        return {"": dead}

    return measure


def _lost_data(window: SlidingWindow) -> Measure:
    def measure(now: float) -> dict[str, float]:
        (lost,) = window.grown((counted(GROUPS_RECREATED) + counted(BODIES_GONE),), now)
        return {"": lost}

    return measure


def _failed_share(window: SlidingWindows) -> Measure:
    def measure(now: float) -> dict[str, float]:
        counts = {kind: (FAILED_ATTEMPTS.of(kind), attempts) for kind, attempts in HANDLER_SECONDS.numbers().items()}
        return {
            kind: proportion(failed, attempts, _MIN_ATTEMPTS) for kind, (failed, attempts) in window.grown(counts, now).items()
        }

    return measure
