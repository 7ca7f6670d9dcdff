"""When something that is watched becomes an alert, and when it is none any more. Pure.

    fine     at the threshold or past it for as long as the hold time ──> raised
    raised   at the clear threshold or past it for as long as the hold time ──> fine

Between the two thresholds nothing changes, so a value that wavers around one of them is one alert and not many.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from hookline_shared.alerts.limits import Limit
from hookline_shared.alerts.rules import RULES, Rule


class Change(NamedTuple):
    """An alert that was raised or cleared. `subject` says of what, empty if there is only one.

    `value` is the one that it was decided by. `since_ms` is when it began to be wrong, `at_ms` now, both in Unix time.
    """

    rule: Rule
    limit: Limit
    subject: str
    raised: bool
    value: float
    since_ms: int
    at_ms: int


class Alert:
    """One thing that is watched."""

    def __init__(self, limit: Limit, *, falls: bool) -> None:
        """Begin fine. `falls` tells that low values are the bad ones."""
        self._limit = limit
        self._sign = -1 if falls else 1
        self._turning_since: float | None = None
        self.raised = False

    def observe(self, value: float, now: float) -> float | None:
        """Take note of `value` at monotonic time `now`; gives since when it has been so if that changes the state."""
        if not self._turns(value):
            self._turning_since = None
            return None
        if self._turning_since is None:
            self._turning_since = now
        since = self._turning_since
        if now - since < self._limit.for_s:
            return None
        self.raised, self._turning_since = not self.raised, None
        return since

    def interrupt(self) -> None:
        """Take note that the value is not known: what it was before does not count towards the hold time."""
        self._turning_since = None

    def _turns(self, value: float) -> bool:
        wrong = self._sign * (value - self._limit.threshold) >= 0
        well = not wrong and self._sign * (value - self._limit.clear) <= 0
        return well if self.raised else wrong


class Alerts:
    """All that is watched, by rule and subject, as `limits` say."""

    def __init__(self, limits: Mapping[str, Limit]) -> None:
        self._limits = limits
        self._alerts: dict[str, dict[str, Alert]] = {}
        self._raised: dict[tuple[str, str], Change] = {}

    def observe(self, name: str, values: Mapping[str, float], now: float, now_ms: int) -> Iterator[Change]:
        """Take note of the values of rule `name` by subject; gives what changes by it. A subject that is gone is fine.

        `now` is monotonic time in seconds, `now_ms` Unix time.
        """
        alerts = self._alerts.setdefault(name, {})
        for subject in [subject for subject in alerts if subject not in values]:
            if alerts.pop(subject).raised:
                yield self._clear(name, subject, self._raised[name, subject].value, now_ms)
        for subject, value in values.items():
            alert = alerts.get(subject)
            if alert is None:
                alert = alerts[subject] = Alert(self._limits[name], falls=RULES[name].falls)
            since = alert.observe(value, now)
            if since is not None and alert.raised:
                yield self._raise(name, subject, value, now_ms - round((now - since) * 1000), now_ms)
            elif since is not None:
                yield self._clear(name, subject, value, now_ms)
            elif alert.raised:
                self._raised[name, subject] = self._raised[name, subject]._replace(value=value)

    def interrupt(self, name: str) -> None:
        """Take note that the values of rule `name` are not known: nothing changes, and hold times begin anew."""
        for alert in self._alerts.get(name, {}).values():
            alert.interrupt()

    def subjects(self) -> Iterator[tuple[str, str]]:
        """Give the rule and subject of everything that is watched."""
        return ((name, subject) for name, alerts in self._alerts.items() for subject in alerts)

    def raised(self) -> list[Change]:
        """Give the alerts that are raised, each with its latest value, in the order in which they were."""
        return list(self._raised.values())

    def _raise(self, name: str, subject: str, value: float, since_ms: int, now_ms: int) -> Change:
        rule = RULES[name]
        change = Change(rule, rule.limit_of(subject, self._limits[name]), subject, True, value, since_ms, now_ms)
        self._raised[name, subject] = change
        return change

    def _clear(self, name: str, subject: str, value: float, now_ms: int) -> Change:
        return self._raised.pop((name, subject))._replace(raised=False, value=value, at_ms=now_ms)
