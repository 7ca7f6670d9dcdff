"""The dashboards for Grafana in deploy/grafana."""

import json
from pathlib import Path
from typing import Any, Final

GRAFANA: Final = Path(__file__).parents[3] / "deploy" / "grafana"
DASHBOARDS: Final = {path.stem: json.loads(path.read_text()) for path in sorted((GRAFANA / "dashboards").glob("*.json"))}

_INTERVALS: Final = {"$__rate_interval": "1m", "$__range": "1h", "$__interval": "15s"}


def panels() -> list[tuple[str, dict[str, Any]]]:
    """Return the panels of all, each with the name of its dashboard."""
    return [(name, panel) for name, dashboard in DASHBOARDS.items() for panel in dashboard["panels"]]


def queries(panel: dict[str, Any]) -> list[str]:
    """Return the queries of `panel`, as Prometheus gets them from Grafana."""
    found = [target["expr"] for target in panel["targets"]]
    for variable, value in _INTERVALS.items():
        found = [query.replace(variable, value) for query in found]
    return found
