"""What an alert says to people, to programs, and to a channel that many of them come to. Pure."""

from collections.abc import Sequence
from html import escape
from math import isfinite
from typing import Any, Final

from hookline_shared.alerts.hysteresis import Change
from hookline_shared.alerts.values import Unit, told
from hookline_shared.clock import utc

_FOREVER: Final = 0.0
_PRECISION: Final = "seconds"


def title(change: Change) -> str:
    """Give its name, and what it is about."""
    return f"{change.rule.name} {change.subject}".rstrip()


def happened(change: Change) -> str:
    """Say what happened, in one sentence."""
    limit, unit = change.limit, change.rule.unit
    return change.rule.happened.format(
        value=told(change.value, unit),
        threshold=told(limit.threshold, unit),
        window=told(limit.window_s or _FOREVER, Unit.SECONDS),
        subject=change.subject,
    )


def line(change: Change) -> str:
    """Give everything about a raised alert in one line, as `/readyz?verbose` shows it and `hookline status` reads it."""
    return f"{title(change)} ({change.limit.level}) since {utc(change.since_ms, _PRECISION)}: {explained(change)}"


def explained(change: Change) -> str:
    """Say what happened, what it means, what to do, and where more is written about it."""
    return f"{happened(change)}. {change.rule.meaning} {change.rule.remedy} See {change.rule.runbook}"


def facts(change: Change) -> dict[str, Any]:
    """Give it for programs; a value that is without bound is None. Times are in UTC."""
    return {
        "alert": change.rule.name,
        "subject": change.subject or None,
        "state": "raised" if change.raised else "cleared",
        "severity": change.limit.level.value,
        "value": round(change.value, 4) if isfinite(change.value) else None,
        "threshold": change.limit.threshold,
        "since": utc(change.since_ms, _PRECISION),
        "at": utc(change.at_ms, _PRECISION),
        "happened": happened(change) if change.raised else None,
        "meaning": change.rule.meaning,
        "remedy": change.rule.remedy,
        "runbook": change.rule.runbook,
    }


def message(changes: Sequence[Change], place: str, left_out: int) -> dict[str, Any]:
    """Give the body of a POST about `changes` of the service at `place`: Slack and what is like it show `text`.

    `left_out` are others that there was no room for.
    """
    lines = [_text(change, place) for change in changes]
    if left_out:
        lines.append(f"{place}: {left_out} more were left out.")
    return {"text": escape("\n".join(lines), quote=False), "service": place, "alerts": [facts(change) for change in changes]}


def _text(change: Change, place: str) -> str:
    if change.raised:
        return f"[{change.limit.level}] {place}: {title(change)}: {explained(change)}"
    lasted = told((change.at_ms - change.since_ms) / 1000, Unit.SECONDS)
    return f"[cleared] {place}: {title(change)}, after {lasted}."
