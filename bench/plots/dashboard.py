"""Draw panels of the Grafana dashboards: `python dashboard.py FIGURES.json DIRECTORY`, in the environment of bench/plots."""

import json
import sys
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib import pyplot as plt
from PIL import Image

_COLUMNS: Final = 3
_SETTINGS: Final = {
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8ebee",
    "legend.fontsize": 7,
    "lines.linewidth": 1.1,
    "figure.constrained_layout.use": True,
}
_UNITS: Final = {"s": "s", "reqps": "per second", "cps": "per second", "percentunit": "share"}
_FAULT: Final = "#d35400"
_HEADROOM: Final = 1.25
"""For the legend."""
_DPI: Final = 110
_MOST_COLOURS: Final = 128
_MOST_IN_LEGEND: Final = 6


def main() -> None:
    """Draw all panels into one picture."""
    figures, directory = Path(sys.argv[1]), Path(sys.argv[2])
    picture = json.loads(figures.read_text())
    mpl.rcParams.update(_SETTINGS)
    rows = -(-len(picture["panels"]) // _COLUMNS)
    figure, grid = plt.subplots(rows, _COLUMNS, figsize=(12, 2.1 * rows), sharex=True)
    for axes, panel in zip(grid.flat, picture["panels"], strict=True):
        _draw(axes, panel, picture)
    for axes in grid[-1]:
        axes.set_xlabel("seconds")
    faults = "; ".join(f"{mark['what']}, {mark['from_s']:g} to {mark['to_s']:g} s" for mark in picture["marks"])
    figure.suptitle(
        f"Panels of the Grafana dashboards “Hookline: ingress” and “Hookline: processor”. Shaded: {faults}.",
        x=0.01,
        ha="left",
        fontsize=10,
    )
    _save(figure, directory / "grafana-dashboards.png")


def _save(figure: Any, file: Path) -> None:
    """Save the picture with few colours, which makes it a third as large."""
    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=_DPI)
    Image.open(drawn).convert("RGB").quantize(_MOST_COLOURS).save(file, optimize=True)


def _draw(axes: Any, panel: dict[str, Any], picture: dict[str, Any]) -> None:
    axes.set_title(f"{panel['dashboard']}: {panel['title']}", loc="left", x=-0.08)
    axes.set_xlim(0, picture["seconds"])
    for mark in picture["marks"]:
        axes.axvspan(mark["from_s"], mark["to_s"], color=_FAULT, alpha=0.18, linewidth=0, zorder=0)
        for edge_s in (mark["from_s"], mark["to_s"]):  # areas hide the shade
            axes.axvline(edge_s, color=_FAULT, linestyle=":", linewidth=1, zorder=3)
    if panel["kind"] == "heatmap":
        _heat(axes, panel)
        return
    series = sorted(filter(_greatest, panel["series"]), key=_greatest, reverse=True) or panel["series"][:1]
    if panel["stacked"]:
        _stack(axes, series)
    else:
        for at, one in enumerate(series):
            axes.plot(*zip(*one["points"], strict=True), color=f"C{at % 10}", label=_label(at, one))
    axes.set_ylabel(_UNITS.get(panel["unit"], ""))
    axes.yaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,g}"))
    axes.legend(frameon=False, loc="upper left", ncols=2, handlelength=1, borderaxespad=0.2, columnspacing=1)
    axes.set_ylim(0, axes.get_ylim()[1] * _HEADROOM)


def _greatest(series: dict[str, Any]) -> float:
    return max((value for _, value in series["points"]), default=0.0)


def _label(at: int, series: dict[str, Any]) -> str:
    return str(series["legend"]) if at < _MOST_IN_LEGEND else "_"


def _stack(axes: Any, series: list[dict[str, Any]]) -> None:
    """Draw stacked series; a missing value is 0."""
    times = sorted({at for one in series for at, _ in one["points"]})
    values = [[dict(map(tuple, one["points"])).get(at, 0.0) for at in times] for one in series]
    axes.stackplot(times, values, labels=[_label(at, one) for at, one in enumerate(series)], linewidth=0)


def _heat(axes: Any, panel: dict[str, Any]) -> None:
    """Draw how many were within each bucket; the series are the cumulative buckets, by their upper bounds."""
    buckets = sorted(panel["series"], key=lambda one: float(one["legend"].replace("+Inf", "inf")))
    times = sorted({at for one in buckets for at, _ in one["points"]})
    cumulative = [[dict(map(tuple, one["points"])).get(at, 0.0) for at in times] for one in buckets]
    counts = [
        [max(0.0, upper - lower) or None for upper, lower in zip(row, below, strict=True)] for row, below in _pairs(cumulative)
    ]
    filled = [at for at, row in enumerate(counts) if any(row)]
    first, last = filled[0], filled[-1]
    shown = [[value if value is not None else float("nan") for value in row] for row in counts[first : last + 1]]
    axes.grid(visible=False)
    axes.pcolormesh(
        times, range(last - first + 1), shown, cmap="Oranges", norm=mpl.colors.LogNorm(), shading="nearest", rasterized=True
    )
    axes.set_yticks(range(last - first + 1), [f"≤ {one['legend']} s" for one in buckets[first : last + 1]])


def _pairs(rows: list[list[float]]) -> list[tuple[list[float], list[float]]]:
    return list(zip(rows, [[0.0] * len(rows[0]), *rows[:-1]], strict=True))


if __name__ == "__main__":
    main()
