"""The formats in which alerts are posted: Slack's, PagerDuty's and a plain one. Pure.

Sources: Slack's incoming webhooks (text with <URL> as a link; &, < and > are escaped), as Mattermost and Discord read it;
PagerDuty's Events API v2 (one event per request; its `dedup_key` has 255 characters at most, its `summary` 1,024).
"""

from collections.abc import Sequence
from enum import StrEnum
from html import escape
from typing import Any, Final
from urllib.parse import urlsplit

from hookline_shared.alerts.hysteresis import Change
from hookline_shared.alerts.wording import as_fields, plain_text, runbook_of, summary, title
from hookline_shared.clock import utc

_PAGERDUTY_HOST: Final = "pagerduty.com"
_LONGEST_KEY: Final = 255
_LONGEST_SUMMARY: Final = 1024


class AlertFormat(StrEnum):
    """The format of the body of a POST to ALERT_URL."""

    SLACK = "slack"
    PAGERDUTY = "pagerduty"
    WEBHOOK = "webhook"

    @property
    def most_together(self) -> int:
        """The largest number of alerts in one POST: each has up to a thousand characters, and Slack takes forty thousand."""
        return 1 if self is AlertFormat.PAGERDUTY else 20


def format_of(url: str, chosen: AlertFormat | None) -> AlertFormat:
    """Return the format that was chosen, otherwise the one that the host of `url` is known for, otherwise Slack's."""
    if chosen is not None:
        return chosen
    host = urlsplit(url).hostname or ""
    known = host == _PAGERDUTY_HOST or host.endswith(f".{_PAGERDUTY_HOST}")
    return AlertFormat.PAGERDUTY if known else AlertFormat.SLACK


def body_of(
    kind: AlertFormat, changes: Sequence[Change], place: str, left_out: int, routing_key: str | None = None
) -> dict[str, Any]:
    """Return the body of a POST about `changes` of the service at `place`, at most `most_together` of them.

    `left_out` is the number of alerts that were dropped because too many waited.
    """
    match kind:
        case AlertFormat.PAGERDUTY:
            return _pagerduty(changes[0], place, left_out, routing_key)
        case AlertFormat.WEBHOOK:
            return {**_fields(changes, place), "text": _text(changes, place, left_out, str, runbook_of), "left_out": left_out}
    return {"text": _text(changes, place, left_out, _escaped, _slack_link), **_fields(changes, place)}


def _fields(changes: Sequence[Change], place: str) -> dict[str, Any]:
    return {"service": place, "alerts": [as_fields(change) for change in changes]}


def _text(changes: Sequence[Change], place: str, left_out: int, escaped: Any, link: Any) -> str:
    parts = [escaped(plain_text(one, place)) + (f"\nRunbook: {link(one)}" if one.raised else "") for one in changes]
    if left_out:
        parts.append(escaped(f"{place}: older alerts that were left out: {left_out}."))
    return "\n".join(parts)


def _pagerduty(change: Change, place: str, left_out: int, routing_key: str | None) -> dict[str, Any]:
    event = {
        "routing_key": routing_key,
        "event_action": "trigger" if change.raised else "resolve",
        "dedup_key": f"hookline/{place}/{title(change)}"[:_LONGEST_KEY],
    }
    if not change.raised:
        return event
    details = as_fields(change) | ({"left_out": left_out} if left_out else {})
    payload = {
        "summary": f"{place}: {title(change)}: {summary(change)}"[:_LONGEST_SUMMARY],
        "source": place,
        "severity": change.limit.level.value,
        "timestamp": utc(change.since_ms, "seconds"),
        "component": place.partition(" ")[0],
        "class": change.rule.name,
        "custom_details": details,
    }
    links = [{"href": change.runbook_url, "text": f"Runbook: {change.rule.section}"}] if change.runbook_url else []
    return {**event, "payload": payload, "client": "Hookline", "links": links}


def _slack_link(change: Change) -> str:
    """Return the runbook's section, as a link if there is one: Slack, Mattermost and Discord all read <URL> as a link."""
    return f"<{_escaped(change.runbook_url)}>" if change.runbook_url else runbook_of(change)


def _escaped(text: str) -> str:
    """Return `text` with the three characters escaped that Slack takes for markup."""
    return escape(text, quote=False)
