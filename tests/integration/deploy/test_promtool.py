"""Prometheus itself takes the configuration and the rules in deploy/prometheus, and they do what their tests say."""

from pathlib import Path

import yaml

from tests.support.deployment.dashboards import panels, queries
from tests.support.deployment.promtool import promtool
from tests.support.deployment.rules import PROMETHEUS, RULE_FILES, RULE_TESTS, every_rule


def test_configuration_is_taken() -> None:
    """It names every file with rules."""
    assert f"{len(RULE_FILES)} rule files found" in promtool("check", "config", str(PROMETHEUS / "prometheus.yml"))


def test_rules_are_taken() -> None:
    said = promtool("check", "rules", *map(str, RULE_FILES))
    assert sum(int(line.split()[1]) for line in said.splitlines() if "rules found" in line) == len(every_rule())


def test_rules_fire_when_they_should() -> None:
    """The alerts fire in the situations they are for, with these words, and not in those that look alike."""
    said = promtool("test", "rules", *map(str, RULE_TESTS))
    assert said.count("SUCCESS") == len(RULE_TESTS)


def test_queries_of_dashboards_are_taken(tmp_path: Path) -> None:
    """Prometheus can read them all."""
    asked = [query for _, panel in panels() for query in queries(panel)]
    rules = [{"record": f"panel:{at}", "expr": query} for at, query in enumerate(asked)]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(asked)} rules found" in promtool("check", "rules", str(path))
