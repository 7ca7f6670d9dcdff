"""The panels of the picture and their values, read from Prometheus with the queries of the dashboards."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from bench.dashboard.private_prometheus import PrivatePrometheus
from bench.system.processes import ROOT

_DASHBOARDS: Final = ROOT / "deploy" / "grafana" / "dashboards"
_SHOWN: Final = {
    "ingress": [
        "Requests, by what became of them",
        "Time to the answer",
        "Stages of a request, on average",
        "Spool",
        "Redis, p99 of each operation",
        "Breakers",
    ],
    "processor": [
        "Attempts, by how they ended",
        "Time from the webhook to its handler",
        "Backlog, by topic",
        "Waiting for a retry, by topic",
        "Dead letters within 15 minutes, by kind",
        "Ledger: waits for the database",
    ],
}
_RATE_INTERVAL: Final = "$__rate_interval"
_LABEL: Final = re.compile(r"\{\{(\w+)\}\}")


class Series(msgspec.Struct):
    """One line of a panel, or row of a heat map; `points` are seconds since the start of the run, and values."""

    legend: str
    points: list[tuple[float, float]]


class Shown(msgspec.Struct):
    """The values of a panel."""

    dashboard: str
    title: str
    kind: str
    unit: str
    stacked: bool
    series: list[Series]


class Mark(msgspec.Struct):
    """A fault and its time, in seconds since the start of the run."""

    what: str
    from_s: float
    to_s: float


class Picture(msgspec.Struct):
    """A whole run of `seconds`."""

    seconds: float
    marks: Sequence[Mark]
    panels: list[Shown]


def ask_panels(prometheus: PrivatePrometheus, started_s: float, seconds: float, rate_s: int) -> list[Shown]:
    """Return the values of the panels from Unix time `started_s` on; rates are over `rate_s` seconds."""
    shown = []
    for name, titles in _SHOWN.items():
        panels = {panel["title"]: panel for panel in json.loads((_DASHBOARDS / f"{name}.json").read_text())["panels"]}
        for title in titles:
            series = [
                _series(target["legendFormat"], found, started_s)
                for target in panels[title]["targets"]
                for found in prometheus.ask(
                    target["expr"].replace(_RATE_INTERVAL, f"{rate_s}s"), started_s, started_s + seconds
                )
            ]
            shown.append(_shown(name, panels[title], series))
    return shown


def _series(legend: str, found: dict[str, Any], started_s: float) -> Series:
    named = _LABEL.sub(lambda label: found["metric"].get(label[1], ""), legend)
    return Series(named, [(at - started_s, float(value)) for at, value in found["values"] if value not in ("NaN", "+Inf")])


def _shown(dashboard: str, panel: dict[str, Any], series: list[Series]) -> Shown:
    defaults = panel["fieldConfig"]["defaults"]
    stacked = defaults.get("custom", {}).get("stacking", {}).get("mode") == "normal"
    return Shown(dashboard, panel["title"], panel["type"], defaults["unit"], stacked, series)
