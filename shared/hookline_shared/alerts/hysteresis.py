"""The states of an alert: when it fires, and when it is resolved. Pure.

    ok       at or past the threshold for the hold time ────────────────> firing
    firing   at or past the clear threshold for the hold time ──────────> ok (resolved)

Between the two thresholds the state stays as it is, so a value that wavers around one of them is one alert and not many.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from hookline_shared.alerts.rule import Rule
from hookline_shared.alerts.rules import RULES
from hookline_shared.alerts.thresholds import Threshold

Cause = Callable[[str], str]
"""Returns why the alert of a subject fires, as one sentence, or an empty text."""


def no_cause(_subject: str) -> str:
    """Return an empty text: the value says all that is known."""
    return ""


class Change(NamedTuple):
    """An alert that is firing, or was resolved. `subject` is what it is about, empty if the rule has one value only.

    `raised` is true if it is firing, false if resolved. `value` is the one that decided it. `since_ms` is when the value first
    was at the threshold, `at_ms` the time of the change, both Unix time in milliseconds. `runbook_url` is the address of the
    rule's section in the runbook, None without RUNBOOK_URL. `cause` is why, as one sentence, empty if that is not known.
    """

    rule: Rule
    limit: Threshold
    subject: str
    raised: bool
    value: float
    since_ms: int
    at_ms: int
    runbook_url: str | None = None
    cause: str = ""


class Alert:
    """The state of one rule for one subject."""

    def __init__(self, limit: Threshold, *, falls: bool) -> None:
        """Start in the state ok. `falls` is true if low values are the bad ones."""
        self._limit = limit
        self._sign = -1 if falls else 1
        self._turning_since: float | None = None
        self.raised = False

    def observe(self, value: float, now: float) -> float | None:
        """Process `value` at monotonic time `now`. Return since when it has been so if that changes the state, else None."""
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
        """Note that the value is unknown: what came before no longer counts towards the hold time."""
        self._turning_since = None

    def _turns(self, value: float) -> bool:
        wrong = self._sign * (value - self._limit.threshold) >= 0
        well = not wrong and self._sign * (value - self._limit.clear) <= 0
        return well if self.raised else wrong


class Alerts:
    """The states of all rules and subjects, by `limits`. `runbook_url` is the address of the runbook."""

    def __init__(self, limits: Mapping[str, Threshold], runbook_url: str | None = None) -> None:
        self._limits = limits
        self._runbook_url = runbook_url
        self._alerts: dict[str, dict[str, Alert]] = {}
        self._raised: dict[tuple[str, str], Change] = {}

    def observe(
        self, name: str, values: Mapping[str, float], now: float, now_ms: int, cause_of: Cause = no_cause
    ) -> Iterator[Change]:
        """Process the values of rule `name` by subject, and yield each change. A subject that is gone is resolved.

        `cause_of` returns why a subject is at its value. `now` is monotonic time in seconds, `now_ms` Unix time in ms.
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
                since_ms = now_ms - round((now - since) * 1000)
                yield self._raise(name, subject, value, since_ms, now_ms, cause_of(subject))
            elif since is not None:
                yield self._clear(name, subject, value, now_ms)
            elif alert.raised:
                self._raised[name, subject] = self._raised[name, subject]._replace(value=value, cause=cause_of(subject))

    def interrupt(self, name: str) -> None:
        """Note that the values of rule `name` are unknown: states stay as they are, and hold times start again."""
        for alert in self._alerts.get(name, {}).values():
            alert.interrupt()

    def subjects(self) -> Iterator[tuple[str, str]]:
        """Return the rule's name and the subject of every state."""
        return ((name, subject) for name, alerts in self._alerts.items() for subject in alerts)

    def raised(self) -> list[Change]:
        """Return the alerts that are firing, each with its latest value, in the order in which they started."""
        return list(self._raised.values())

    def _raise(self, name: str, subject: str, value: float, since_ms: int, now_ms: int, cause: str) -> Change:
        rule = RULES[name]
        limit = rule.limit_of(subject, self._limits[name])
        link = rule.runbook(self._runbook_url) if self._runbook_url else None
        change = Change(rule, limit, subject, True, value, since_ms, now_ms, link, cause)
        self._raised[name, subject] = change
        return change

    def _clear(self, name: str, subject: str, value: float, now_ms: int) -> Change:
        return self._raised.pop((name, subject))._replace(raised=False, value=value, at_ms=now_ms)
