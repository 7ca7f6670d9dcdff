"""Events accepted and settled per second, from two readings of the services' counters. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hookline_cli.status.service_report import ServiceReport

Place = tuple[str, int]


class TopicRate(NamedTuple):
    """Events per second of one topic; None if no service that counts them answered both times."""

    accepted: float | None = None
    settled: float | None = None


class TopicRates(NamedTuple):
    """Rates by topic, measured over `seconds`; `others` is the rate of a topic that is missing."""

    seconds: float
    others: TopicRate
    by_topic: Mapping[str, TopicRate]

    def of(self, topic: str) -> TopicRate:
        """Return the rate of `topic`."""
        return self.by_topic.get(topic, self.others)


def measure(before: Sequence[ServiceReport], after: Sequence[ServiceReport], seconds: float) -> TopicRates:
    """Return the rates over the `seconds` between two readings.

    A service is included if it answered both times. If its counter decreased, it has restarted and counted from 0.
    """
    earlier = {(report.host, report.port): report for report in before if report.answers}
    pairs = [(earlier[place], report) for report in after if report.answers and (place := _place(report)) in earlier]
    accepted = _growth([(old.accepted, new.accepted) for old, new in pairs])
    settled = _growth([(old.settled, new.settled) for old, new in pairs])
    ingress, processor = (any(new.role == role for _, new in pairs) for role in ("ingress", "processor"))
    per_s = 1 / seconds
    by_topic = {
        topic: TopicRate(accepted[topic] * per_s if ingress else None, settled[topic] * per_s if processor else None)
        for topic in accepted.keys() | settled.keys()
    }
    return TopicRates(seconds, TopicRate(0.0 if ingress else None, 0.0 if processor else None), by_topic)


def _place(report: ServiceReport) -> Place:
    return report.host, report.port


def _growth(pairs: Sequence[tuple[Mapping[str, int], Mapping[str, int]]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for old, new in pairs:
        for topic, count in new.items():
            grown = count - old.get(topic, 0)
            found[topic] += grown if grown >= 0 else count
    return found
