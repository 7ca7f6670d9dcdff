"""The settings of alerts: `[alerts.<name>]` of the TOML file, whose thresholds replace the defaults, and where alerts go."""

import re
from difflib import get_close_matches
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from hookline_shared.alerts.formats import AlertFormat
from hookline_shared.alerts.rule import Rule
from hookline_shared.alerts.rules import RULES
from hookline_shared.alerts.thresholds import Threshold
from hookline_shared.validation import (
    Check,
    InvalidError,
    Read,
    SettingsGroup,
    Variable,
    describe_problems,
    read_table,
    split_url,
)

_ADDRESS: Final = re.compile(r"https?://(?:[^\s/?#<>|@:\[\]]+|\[[0-9a-fA-F:.]+\])(?::\d+)?(?:[/?][^\s#<>|]*)?")
"""An http URL to which a # part can be added, with nothing that is markup in Slack, and without a user name or password."""


_KEY: Final = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)


def _usual_limits() -> dict[str, Threshold]:
    return {name: rule.limit for name, rule in RULES.items()}


def _read(value: Any) -> dict[str, Threshold]:
    """Return the limits of every alert, or raise one ValueError that names every mistake."""
    if not isinstance(value, dict):
        raise ValueError("it must consist of tables, each headed [alerts.<name>]")  # noqa: TRY004 - reported beside other problems
    limits, problems = _usual_limits(), []
    for name, table in value.items():
        rule = RULES.get(name)
        if rule is None:
            problems.append(_unknown(name))
            continue
        try:
            limits[name] = read_table(Threshold, table, usual=_usual_limit(rule, table))
        except InvalidError as error:
            problems += describe_problems(error, name)
        else:
            problems += [f"{name}: {problem}" for problem in _contradictions(rule, limits[name])]
    if problems:
        raise ValueError("; ".join(problems))
    return limits


def _usual_limit(rule: Rule, table: Any) -> Threshold:
    """Return the limit of `rule`, whose keys count where `table` lacks them. A new threshold moves `clear` in proportion."""
    threshold = table.get("threshold") if isinstance(table, dict) else None
    if isinstance(threshold, int | float):
        return msgspec.structs.replace(rule.limit, clear=threshold * rule.limit.clear / rule.limit.threshold)
    return rule.limit


def _contradictions(rule: Rule, limit: Threshold) -> list[str]:
    found = []
    if (limit.clear < limit.threshold) if rule.falls else (limit.clear > limit.threshold):
        side = "above" if rule.falls else "below"
        found.append(f"clear is {limit.clear:g}, and must be {side} the threshold, {limit.threshold:g}, or equal to it")
    if limit.threshold == 0 and not rule.falls:
        found.append("threshold is 0, at which the alert would always fire; to turn it off, set enabled = false")
    if limit.window_s is not None and rule.limit.window_s is None:
        found.append("window_s has no effect: its value is not computed over a window")
    return found


def _unknown(name: str) -> str:
    meant = get_close_matches(name, RULES, n=1)
    return f"there is no alert {name}; " + (f"did you mean {meant[0]}?" if meant else f"the alerts are {', '.join(RULES)}")


def _alert_url(url: str) -> str:
    """Return `url` unchanged. Errors do not quote it, since it allows posting to a channel."""
    parts = split_url(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it is not of the form https://host/path")
    return url


def _routing_key(key: str) -> str:
    """Return `key` unchanged. Errors do not quote it, since it allows opening incidents."""
    if not _KEY.fullmatch(key):
        raise ValueError("it must consist of letters and digits: copy the integration key of the service in PagerDuty")
    return key


def _runbook_url(url: str) -> str:
    """Return `url` unchanged. Errors do not quote it, since it may contain a password."""
    if not _ADDRESS.fullmatch(url):
        raise ValueError("it must be of the form https://host/path, without a # part, white space, user name or password")
    return url


class AlertSettings(SettingsGroup, frozen=True, kw_only=True):
    """When alerts fire, and where they go. `limits` has those of all alerts, by name."""

    limits: Annotated[
        dict[str, Threshold],
        Read(_read),
        Variable(
            "ALERTS",
            "Alerts, only in the TOML file: tables [alerts.<name>] with threshold, clear, for_s, window_s, level "
            "and enabled, see docs/alerts.md",
        ),
    ] = msgspec.field(default_factory=_usual_limits)
    url: Annotated[
        str | None,
        Check(_alert_url),
        Variable(
            "ALERT_URL",
            "URL to which alerts are posted, such as https://hooks.slack.com/services/... or"
            " https://events.pagerduty.com/v2/enqueue. Without it, alerts are only logged and shown by hookline status",
            secret=True,
        ),
    ] = None
    format: Annotated[
        AlertFormat | None,
        Variable(
            "ALERT_FORMAT",
            "Format of what is posted to ALERT_URL: slack (also Mattermost, and Discord with /slack), pagerduty (Events API"
            " v2) or webhook (plain JSON). By default pagerduty for a URL of PagerDuty, otherwise slack",
        ),
    ] = None
    routing_key: Annotated[
        str | None,
        Check(_routing_key),
        Variable(
            "ALERT_ROUTING_KEY",
            "Integration key of the PagerDuty service (Events API v2), for ALERT_FORMAT=pagerduty",
            secret=True,
        ),
    ] = None
    runbook_url: Annotated[
        str | None,
        Check(_runbook_url),
        Variable(
            "RUNBOOK_URL",
            "URL of your copy of docs/runbook.md, for example https://wiki.example.com/hookline/runbook. Alerts "
            "link to its sections, such as #reply-slow. Without it, alerts name the file and the section",
        ),
    ] = None
    interval_s: Annotated[
        float,
        Meta(ge=0.05, le=60),
        Variable(
            "ALERT_INTERVAL_S",
            "Seconds between two evaluations of the alerts. The backlog is measured only at every fifth",
        ),
    ] = 1
