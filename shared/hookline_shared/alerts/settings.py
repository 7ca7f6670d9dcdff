"""The settings of alerts: `[alerts.<name>]` of the TOML file, whose thresholds replace the defaults, and where alerts go."""

import re
from difflib import get_close_matches
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from hookline_shared.alerts.rule import Rule
from hookline_shared.alerts.rules import RULES
from hookline_shared.alerts.thresholds import Threshold
from hookline_shared.validation import SettingsGroup, describe_errors, split_url

_ADDRESS: Final = re.compile(r"https?://(?:[^\s/?#<>|@:\[\]]+|\[[0-9a-fA-F:.]+\])(?::\d+)?(?:[/?][^\s#<>|]*)?")
"""An http URL to which a # part can be added, with nothing that is markup in Slack, and without a user name or password."""


def _read(value: Any) -> dict[str, Threshold]:
    """Return the limits of every alert, or raise one ValueError that names every mistake."""
    if not isinstance(value, dict):
        raise ValueError("it must consist of tables, each headed [alerts.<name>]")  # noqa: TRY004 - pydantic reports this one
    limits, problems = {name: rule.limit for name, rule in RULES.items()}, []
    for name, table in value.items():
        rule = RULES.get(name)
        if rule is None:
            problems.append(_unknown(name))
            continue
        try:
            limits[name] = Threshold.model_validate(_whole(rule, table))
        except ValidationError as error:
            problems += describe_errors(error, Threshold, name)
        else:
            problems += [f"{name}: {problem}" for problem in _contradictions(rule, limits[name])]
    if problems:
        raise ValueError("; ".join(problems))
    return limits


def _whole(rule: Rule, table: Any) -> Any:
    """Return `table` with defaults for missing keys. A new threshold without `clear` moves `clear` in proportion."""
    if not isinstance(table, dict):
        return table
    usual = rule.limit.model_dump()
    threshold = table.get("threshold")
    if isinstance(threshold, int | float) and "clear" not in table:
        usual["clear"] = threshold * rule.limit.clear / rule.limit.threshold
    return usual | table


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


def _runbook_url(url: str) -> str:
    """Return `url` unchanged. Errors do not quote it, since it may contain a password."""
    if not _ADDRESS.fullmatch(url):
        raise ValueError("it must be of the form https://host/path, without a # part, white space, user name or password")
    return url


class AlertSettings(SettingsGroup):
    """When alerts fire, and where they go. `limits` has those of all alerts, by name."""

    limits: Annotated[dict[str, Threshold], BeforeValidator(_read)] = Field(
        {},
        validate_default=True,
        validation_alias="ALERTS",
        description="Alerts, only in the TOML file: tables [alerts.<name>] with threshold, clear, for_s, window_s, level and "
        "enabled, see docs/alerts.md",
    )
    url: Annotated[str, AfterValidator(_alert_url)] | None = Field(
        None,
        validation_alias="ALERT_URL",
        description="URL to which alerts are posted in Slack's format (https://hooks.slack.com/services/...). Without it, "
        "alerts are only logged and shown by hookline status",
        repr=False,
    )
    runbook_url: Annotated[str, AfterValidator(_runbook_url)] | None = Field(
        None,
        validation_alias="RUNBOOK_URL",
        description="URL of your copy of docs/runbook.md, for example https://wiki.example.com/hookline/runbook. Alerts link "
        "to its sections, such as #reply-slow. Without it, alerts name the file and the section",
    )
    interval_s: float = Field(
        1,
        validation_alias="ALERT_INTERVAL_S",
        description="Seconds between two evaluations of the alerts. The backlog is measured only at every fifth",
        ge=0.05,
        le=60,
    )
