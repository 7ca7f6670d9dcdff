"""Prometheus itself takes the configuration and the rules in deploy/prometheus, and they do what their tests say."""

import shutil
import subprocess
from pathlib import Path

import yaml

from tests.support.deployment.dashboards import panels, queries
from tests.support.deployment.promtool import promtool
from tests.support.deployment.rules import PROMETHEUS, RULE_FILES, RULE_TESTS, every_rule


def test_configuration_is_taken(tmp_path: Path) -> None:
    """It names every file with rules. The file with the token is one of the container."""
    folder = shutil.copytree(PROMETHEUS, tmp_path / "prometheus")
    (tmp_path / "token").touch()
    text = (folder / "prometheus.yml").read_text().replace("/run/secrets/prometheus_token", str(tmp_path / "token"))
    (folder / "prometheus.yml").write_text(text)
    assert f"{len(RULE_FILES)} rule files found" in promtool("check", "config", str(folder / "prometheus.yml"))


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


def test_smoke_test_counts_what_is_there_now(tmp_path: Path) -> None:
    """After `down` and `up`, the samples of addresses that are gone count no more, long before Prometheus forgets them."""
    asked = 'up{job=~"hookline-.*"}'
    script = f". {PROMETHEUS.parent / 'deploy.sh'}; current '{asked}'"
    current = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    here, gone = '{job="hookline-ingress", instance="here"}', '{job="hookline-ingress", instance="gone"}'
    series = [{"series": f"up{here}", "values": "1x20"}, {"series": f"up{gone}", "values": "1x4"}]
    expected = [(f"count({asked} == 1)", 2), (f"count(({current}) == 1)", 1)]
    tests = [{"expr": query, "eval_time": "2m", "exp_samples": [{"value": value}]} for query, value in expected]
    path = tmp_path / "smoke_test.yml"
    path.write_text(yaml.safe_dump({"tests": [{"interval": "15s", "input_series": series, "promql_expr_test": tests}]}))
    assert "SUCCESS" in promtool("test", "rules", str(path))
