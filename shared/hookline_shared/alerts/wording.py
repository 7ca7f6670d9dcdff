"""The wording of an alert for people and for programs. Pure."""

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
    """Return what happened as one sentence, with the value and the threshold in their unit, and the cause if it is known."""
    limit, unit = change.limit, change.rule.unit
    happened = change.rule.happened.format(
        value=format_value(change.value, unit),
        threshold=format_value(limit.threshold, unit),
        window=format_value(limit.window_s or _FOREVER, Unit.SECONDS),
        subject=change.subject,
    )
    return f"{happened} Cause: {change.cause}" if change.cause else happened


def one_line(change: Change) -> str:
    """Return a firing alert as one line: `/readyz?verbose` shows it, and `hookline status` parses it."""
    return f"{title(change)} ({change.limit.level}) since {utc(change.since_ms, _PRECISION)}: {explanation(change)}"


def explanation(change: Change) -> str:
    """Return what happened, what it means, what to do, and where the runbook says more, as one line."""
    meaning, remedy = change.rule.impact_of(change.subject)
    return f"{summary(change)} Impact: {meaning} Fix: {remedy} Runbook: {runbook_of(change)}"


def as_fields(change: Change) -> dict[str, Any]:
    """Return the alert as fields for programs. An infinite value is None; times are in UTC."""
    meaning, remedy = change.rule.impact_of(change.subject)
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
        "cause": change.cause or None,
        "meaning": meaning,
        "remedy": remedy,
        "runbook": change.runbook_url or change.rule.runbook(),
    }


def plain_text(change: Change, place: str) -> str:
    """Return the alert of the service at `place` as a text of several lines."""
    heading = f"{place}: {title(change)}"
    if not change.raised:
        lasted = format_value((change.at_ms - change.since_ms) / 1000, Unit.SECONDS)
        return f"[resolved] {heading}, after {lasted}."
    meaning, remedy = change.rule.impact_of(change.subject)
    lines = (f"[firing, {change.limit.level}] {heading}", summary(change), f"Impact: {meaning}", f"Fix: {remedy}")
    return "\n".join(lines)


def runbook_of(change: Change) -> str:
    """Return the address of its section in the runbook, or the file and the section."""
    return change.runbook_url or f"{RUNBOOK}, section {change.rule.section}"
