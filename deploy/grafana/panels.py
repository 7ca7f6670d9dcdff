"""The content of a Grafana dashboard: panels in rows, each with its queries. The JSON for Grafana is built from it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

_WIDTH: Final = 24
_DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_TIMES: Final = {"from": "now-1h", "to": "now"}


class Panel(NamedTuple):
    """One panel. `queries` are in PromQL, by the legend of their series; `unit` is a name of Grafana's.

    A value from `yellow` on is yellow, from `red` on red; `stacked` areas add up.
    """

    kind: str
    title: str
    about: str
    queries: Mapping[str, str]
    unit: str = "short"
    yellow: float | None = None
    red: float | None = None
    stacked: bool = False


class Row(NamedTuple):
    """Panels of equal width side by side; `height` is in Grafana's units of about 30 pixels."""

    height: int
    panels: Sequence[Panel]


def lines(title: str, about: str, queries: Mapping[str, str], unit: str = "short", **more: Any) -> Panel:
    """Return a panel that shows values over time."""
    return Panel("timeseries", title, about, queries, unit, **more)


def number(title: str, about: str, query: str, unit: str = "short", **more: Any) -> Panel:
    """Return a panel that shows the current value."""
    return Panel("stat", title, about, {"": query}, unit, **more)


def heat(title: str, about: str, query: str) -> Panel:
    """Return a heat map of a histogram in seconds; `query` returns its buckets, by `le`."""
    return Panel("heatmap", title, about, {"{{le}}": query}, "s")


def dashboard(uid: str, title: str, about: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Return a dashboard as JSON for Grafana."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row in rows:
        width = _WIDTH // len(row.panels)
        for at, panel in enumerate(row.panels):
            place = {"x": at * width, "y": top, "w": width, "h": row.height}
            panels.append(_panel(len(panels) + 1, panel, place))
        top += row.height
    return {
        "uid": uid,
        "title": title,
        "description": about,
        "tags": ["hookline"],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,  # the same moment is marked in all panels
        "refresh": "30s",
        "time": _TIMES,
        "links": [{"type": "dashboards", "title": "Hookline", "tags": ["hookline"], "asDropdown": False}],
        "templating": {"list": [{"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus"}]},
        "panels": panels,
    }


def _panel(number_: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number_,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "gridPos": place,
        "datasource": _DATASOURCE,
        "targets": [_target(chr(ord("A") + at), *query, panel) for at, query in enumerate(panel.queries.items())],
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, **_colours(panel), **_custom(panel)}, "overrides": []},
        "options": _OPTIONS[panel.kind],
    }


def _target(letter: str, legend: str, query: str, panel: Panel) -> dict[str, Any]:
    target = {"refId": letter, "datasource": _DATASOURCE, "expr": query, "legendFormat": legend}
    return target | {"format": "heatmap"} if panel.kind == "heatmap" else target


def _colours(panel: Panel) -> dict[str, Any]:
    if panel.yellow is None and panel.red is None:
        return {}
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    steps += [
        {"color": name, "value": value} for name, value in (("yellow", panel.yellow), ("red", panel.red)) if value is not None
    ]
    return {"thresholds": {"mode": "absolute", "steps": steps}}


def _custom(panel: Panel) -> dict[str, Any]:
    if panel.kind != "timeseries":
        return {}
    stacking = {"mode": "normal" if panel.stacked else "none"}
    return {"custom": {"lineWidth": 1, "fillOpacity": 40 if panel.stacked else 8, "stacking": stacking, "showPoints": "never"}}


_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "colorMode": "value",
        "graphMode": "area",
        "reduceOptions": {"calcs": ["lastNotNull"]},
    },
    "heatmap": {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
        "yAxis": {"unit": "s", "axisPlacement": "left"},
        "tooltip": {"mode": "single"},
    },
}
