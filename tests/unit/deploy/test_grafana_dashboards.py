"""The dashboards for Grafana ask for what the services show, and are what build.py makes."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.support.deployment.dashboards import DASHBOARDS, GRAFANA, panels, queries
from tests.support.deployment.promql import FROM_SCRAPING, asked, groups_by, mistakes, recorded, shown_by_services
from tests.support.deployment.rules import PROMETHEUS, recordings

PANELS: Final = panels()
SERIES: Final = shown_by_services() | recorded(recordings()) | {"up": frozenset[str]()}
_LEGEND: Final = re.compile(r"\{\{(\w+)\}\}")
_JOB: Final = re.compile(r'job="([^"]*)"')


def named(one: tuple[str, dict[str, Any]]) -> str:
    return f"{one[0]}: {one[1]['title']}"


def test_one_for_each_service() -> None:
    assert DASHBOARDS.keys() == {"ingress", "processor"}
    assert all(len(dashboard["panels"]) > 10 for dashboard in DASHBOARDS.values())


def test_files_are_what_is_built(tmp_path: Path) -> None:
    """Nobody has changed the JSON by hand, or forgotten to build it."""
    subprocess.run([sys.executable, str(GRAFANA / "build.py"), str(tmp_path)], check=True, timeout=60)
    for path in sorted((GRAFANA / "dashboards").iterdir()):
        assert (tmp_path / path.name).read_text() == path.read_text(), "run python deploy/grafana/build.py"


@pytest.mark.parametrize("panel", PANELS, ids=named)
def test_panels_ask_for_what_is_shown(panel: tuple[str, dict[str, Any]]) -> None:
    """Every metric and label of a query, and every label in a legend, is there; Grafana would show an empty panel otherwise."""
    _, found = panel
    for query, target in zip(queries(found), found["targets"], strict=True):
        assert mistakes(query, SERIES) == []
        left = groups_by(query) or FROM_SCRAPING.union(*(SERIES[one.name] for one in asked(query)))
        assert set(_LEGEND.findall(target["legendFormat"])) <= left
        assert "$" not in query, "a variable that nobody sets"


def test_jobs_are_those_that_are_scraped() -> None:
    scraped = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    shown = {job for _, panel in PANELS for query in queries(panel) for job in _JOB.findall(query)}
    assert shown == {job["job_name"] for job in scraped}


def test_panels_do_not_overlap() -> None:
    """Each place of the grid has one panel at most, and no panel reaches beyond its edge."""
    for dashboard in DASHBOARDS.values():
        places = [panel["gridPos"] for panel in dashboard["panels"]]
        cells = [(x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]
        assert len(cells) == len(set(cells))
        assert max(x for x, _ in cells) < 24


def test_provisioning_leads_to_the_dashboards() -> None:
    """The data source is there under its name, and the provider looks where compose mounts the folder."""
    source = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"][0]
    assert source["type"] == DASHBOARDS["ingress"]["templating"]["list"][0]["query"]
    interval = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == interval
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/hookline.yml").read_text())["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
