"""`[alerts.<name>]` of the TOML file: thresholds that replace the defaults, for both services. And the runbook's address."""

import re
from difflib import get_close_matches
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, ValidationError
from pydantic_settings import NoDecode

from hookline_shared.alerts.rule import Rule
from hookline_shared.alerts.rules import RULES
from hookline_shared.alerts.thresholds import Threshold
from hookline_shared.validation import describe_errors

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


AlertsSetting = Annotated[dict[str, Threshold], NoDecode, BeforeValidator(_read)]
"""The limits of all alerts, by name."""


def _runbook_url(url: str) -> str:
    """Return `url` unchanged. Errors do not quote it, since it may contain a password."""
    if not _ADDRESS.fullmatch(url):
        raise ValueError("it must be of the form https://host/path, without a # part, white space, user name or password")
    return url


RunbookUrl = Annotated[str, AfterValidator(_runbook_url)]
"""The address of the runbook, to which alerts add the name of a section."""
