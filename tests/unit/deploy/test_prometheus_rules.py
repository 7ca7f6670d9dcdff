"""The rules for Prometheus query metrics that exist, and every alert links to its section of the runbook."""

import re
from pathlib import Path
from typing import Any, Final

import pytest

from hookline_shared.alerts.rules import RULES
from tests.support.deployment.promql import asked, groups_by, mistakes, recorded, shown_by_services
from tests.support.deployment.rules import RULE_TESTS, alerts, every_rule, recordings

_RUNBOOK: Final = Path(__file__).parents[3] / "docs" / "runbook.md"
_LINK: Final = re.compile(r"""^\{\{ or \$externalLabels\.runbook "docs/runbook\.md" \}\}#([a-z-]+)$""")

ALERTS: Final = alerts()
NAMES: Final = [rule["alert"] for rule in ALERTS]
SERIES: Final = shown_by_services() | recorded(recordings()) | {"up": frozenset[str]()}


def test_services_show_what_is_expected() -> None:
    """The names that queries are held against are those of real metrics of each kind, with their labels."""
    shown = shown_by_services()
    assert shown["hookline_events_total"] == {"topic", "kind", "outcome"}
    assert shown["hookline_ingress_stage_seconds_bucket"] == {"stage", "le"}
    assert shown["hookline_ingress_request_seconds_count"] == frozenset()
    assert shown["hookline_redis_pool_connections"] == {"pool", "state"}
    assert shown["hookline_database_pool_connections"] == {"state"}
    assert "hookline_events" not in shown


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('sum by (topic) (rate(hookline_events_total{outcome=~"done|dead", instance="a"}[5m]))', []),
        ("rate(hookline_event_total[5m])", ["nothing shows hookline_event_total"]),
        ('hookline_spool_events{topic="messages"}', ["hookline_spool_events has no label topic"]),
        ("max by (stage) (hookline_backlog_events)", ["nothing that is asked for has the label stage"]),
    ],
)
def test_mistakes_are_seen(query: str, found: list[str]) -> None:
    assert mistakes(query, shown_by_services()) == found


@pytest.mark.parametrize("rule", every_rule(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_rules_ask_for_what_is_shown(rule: dict[str, Any]) -> None:
    """Every metric and label in a rule is shown by a service, or recorded by another rule."""
    assert mistakes(rule["expr"], SERIES) == []


@pytest.mark.parametrize("rule", ALERTS, ids=NAMES)
def test_alerts_lead_to_the_runbook(rule: dict[str, Any]) -> None:
    """Each alert has its section there, under its name in lower case, and a severity that somebody can act on."""
    link = _LINK.match(rule["annotations"]["runbook_url"])
    words = re.findall("[A-Z][a-z]+", rule["alert"].removeprefix("Hookline"))
    assert link is not None
    assert link[1] == "-".join(words).lower()
    assert f"## {link[1]}" in _RUNBOOK.read_text().splitlines()
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}


def test_every_section_has_its_alert() -> None:
    """The runbook has no section without an alert."""
    sections = {line.removeprefix("## ") for line in _RUNBOOK.read_text().splitlines() if re.fullmatch("## [a-z-]+", line)}
    assert sections == {_LINK.sub(r"\1", rule["annotations"]["runbook_url"]) for rule in ALERTS}


def test_alerts_of_the_services_have_their_twins() -> None:
    """Every alert of the services has a rule for Prometheus with the same name."""
    twins = {"Hookline" + name.title().replace("_", "") for name in RULES}
    assert twins <= set(NAMES)


def test_links_inside_the_runbook_lead_somewhere() -> None:
    """Anchors are those that GitHub makes of headings."""
    text = _RUNBOOK.read_text()
    headings = {heading.lower().replace(" ", "-") for heading in re.findall("^#+ (.+)$", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings
    assert all((_RUNBOOK.parent / page).exists() for page in re.findall(r"\]\(([a-z-]+\.md)\)", text))


def test_every_alert_is_tried() -> None:
    """promtool's tests make each alert fire."""
    tried = {name for path in RULE_TESTS for name in re.findall(r"alertname: (\w+)\n\s+exp_alerts:\n", path.read_text())}
    assert tried == set(NAMES)


def test_queries_of_the_runbook_ask_for_what_is_shown() -> None:
    """So do those that the runbook shows."""
    queries = re.findall(r"^```promql\n(.*?)^```", _RUNBOOK.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line.partition("#")[0] for query in queries for line in query.splitlines()]
    assert sum(bool(asked(line)) for line in lines) > len(ALERTS) / 2
    assert [problem for line in lines for problem in mistakes(line, SERIES)] == []


def test_grouping_is_seen() -> None:
    assert groups_by("sum by (a, le) (x) / on (b) group_left y") == {"a", "le", "b"}
