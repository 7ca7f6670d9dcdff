"""The wording of an alert: for people, for programs, and for a channel in Slack's form. Pure."""

from collections.abc import Sequence
from html import escape
from math import isfinite
from typing import Any, Final

from hookline_shared.alerts.hysteresis import Change
from hookline_shared.alerts.rule import RUNBOOK
from hookline_shared.alerts.units import Unit, format_value
from hookline_shared.clock import utc

_FOREVER: Final = 0.0
_PRECISION: Final = "seconds"


def title(change: Change) -> str:
    """Return the alert's name and its subject."""
    return f"{change.rule.name} {change.subject}".rstrip()


def summary(change: Change) -> str:
    """Return what happened as one sentence, with the value and the threshold in their unit."""
    limit, unit = change.limit, change.rule.unit
    return change.rule.happened.format(
        value=format_value(change.value, unit),
        threshold=format_value(limit.threshold, unit),
        window=format_value(limit.window_s or _FOREVER, Unit.SECONDS),
        subject=change.subject,
    )


def one_line(change: Change) -> str:
    """Return a firing alert as one line: `/readyz?verbose` shows it, and `hookline status` parses it."""
    return f"{title(change)} ({change.limit.level}) since {utc(change.since_ms, _PRECISION)}: {explanation(change)}"


def explanation(change: Change) -> str:
    """Return what happened, what it means, what to do, and where the runbook says more, as one line."""
    runbook = change.runbook_url or _place_in_repository(change)
    return f"{summary(change)} Impact: {change.rule.meaning} Fix: {change.rule.remedy} Runbook: {runbook}"


def as_fields(change: Change) -> dict[str, Any]:
    """Return the alert as fields for programs. An infinite value is None; times are in UTC."""
    return {
        "alert": change.rule.name,
        "subject": change.subject or None,
        "state": "firing" if change.raised else "resolved",
        "severity": change.limit.level.value,
        "value": round(change.value, 4) if isfinite(change.value) else None,
        "threshold": change.limit.threshold,
        "since": utc(change.since_ms, _PRECISION),
        "at": utc(change.at_ms, _PRECISION),
        "happened": summary(change) if change.raised else None,
        "meaning": change.rule.meaning,
        "remedy": change.rule.remedy,
        "runbook": change.runbook_url or change.rule.runbook(),
    }


def slack_message(changes: Sequence[Change], place: str, left_out: int) -> dict[str, Any]:
    """Return the body of a POST about `changes` of the service at `place`, whose `text` is what Slack and its like display.

    `left_out` is the number of alerts that were dropped because too many waited.
    """
    parts = [_text(change, place) for change in changes]
    if left_out:
        parts.append(_escaped(f"{place}: older alerts that were left out: {left_out}."))
    return {"text": "\n".join(parts), "service": place, "alerts": [as_fields(change) for change in changes]}


def _text(change: Change, place: str) -> str:
    heading = f"{place}: {title(change)}"
    if not change.raised:
        lasted = format_value((change.at_ms - change.since_ms) / 1000, Unit.SECONDS)
        return _escaped(f"[resolved] {heading}, after {lasted}.")
    lines = (
        f"[firing, {change.limit.level}] {heading}",
        summary(change),
        f"Impact: {change.rule.meaning}",
        f"Fix: {change.rule.remedy}",
    )
    text = _escaped("\n".join(lines))
    return f"{text}\nRunbook: {_link(change)}"


def _link(change: Change) -> str:
    """Return the runbook's section, as a link if there is one: Slack, Mattermost and Discord all read <URL> as a link."""
    return f"<{_escaped(change.runbook_url)}>" if change.runbook_url else _place_in_repository(change)


def _place_in_repository(change: Change) -> str:
    return f"{RUNBOOK}, section {change.rule.section}"


def _escaped(text: str) -> str:
    """Return `text` with the three characters escaped that Slack takes for markup."""
    return escape(text, quote=False)
