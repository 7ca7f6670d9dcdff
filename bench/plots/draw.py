"""Draw the figures of a run: `python draw.py RESULTS.json DIRECTORY`, in the environment of bench/plots."""

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any, Final

import matplotlib as mpl
from matplotlib import pyplot as plt

_OURS: Final = "#c0392b"
_OTHERS: Final = "#8899aa"
_CEILING: Final = "#d5dbe1"
_SETTINGS: Final = {
    "svg.fonttype": "none",
    "svg.hashsalt": "hookline",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
}
_WHO: Final = {"Hookline": "Hookline", "in the request": "handler inside the request, plain redis-py"}
_CEILINGS: Final = {"raw loop", "bare aiohttp"}


def main() -> None:
    """Draw a chart for each measured part."""
    results, directory = Path(sys.argv[1]), Path(sys.argv[2])
    report = json.loads(results.read_text())
    mpl.rcParams.update(_SETTINGS)
    if report.get("peers"):
        jobs = [(one["name"], [_rate(drain, "events") for drain in one["rounds"]]) for one in report["peers"]["drains"]]
        _bars(jobs, "jobs per second, handler that does nothing, one core", directory / "jobs.svg")
    if report.get("ingress"):
        webhooks = [
            (one["name"], [_rate(outcome, "answered") for outcome in one["rounds"]]) for one in report["ingress"]["served"]
        ]
        _bars(
            webhooks,
            "webhooks per second, one core: verified and in Redis; by bare aiohttp just answered",
            directory / "webhooks.svg",
        )
    if report.get("latency"):
        _latencies(report["latency"], directory / "latency.svg")
    if report.get("overload"):
        _overload(report["overload"], directory / "overload.svg")
    if report.get("faults"):
        _time_lines(report["faults"], directory / "faults.svg")


def _rate(one: dict[str, Any], count: str) -> float:
    return float(one[count]) / float(one["seconds"])


def _bars(rates: list[tuple[str, list[float]]], title: str, file: Path) -> None:
    """Draw a bar for each, the median, with a line from the least to the greatest."""
    shown = sorted(((name, values) for name, values in rates if values), key=lambda pair: median(pair[1]))
    middles = [median(values) for _, values in shown]
    reach = [
        [middle - min(values) for middle, (_, values) in zip(middles, shown, strict=True)],
        [max(values) - middle for middle, (_, values) in zip(middles, shown, strict=True)],
    ]
    figure, axes = plt.subplots(figsize=(7.5, 0.5 + 0.36 * len(shown)))
    axes.barh([name for name, _ in shown], middles, xerr=reach, color=[_colour(name) for name, _ in shown], ecolor="#444")
    for index, (middle, (_, values)) in enumerate(zip(middles, shown, strict=True)):
        axes.annotate(f" {middle:,.0f}", (max(values), index), va="center")
    axes.set_title(title, loc="left")
    axes.margins(x=0.12)
    axes.xaxis.set_visible(False)
    _save(figure, file)


def _colour(name: str) -> str:
    if name.casefold().startswith(("hookline", "ingress")):
        return _OURS
    return _CEILING if name in _CEILINGS else _OTHERS


def _latencies(latency: dict[str, Any], file: Path) -> None:
    """Draw p50 and p99 over the rate, for each server."""
    figure, axes = plt.subplots(figsize=(7.5, 3.6))
    names = list(dict.fromkeys(one["name"] for one in latency["measured"]))
    for index, name in enumerate(names):
        points = [one for one in latency["measured"] if one["name"] == name]
        rates = [str(one["rate"]) for one in points]
        for share, style in (("50.0", ":"), ("99.0", "-")):
            values = [one["percentiles_ms"][share] for one in points]
            axes.plot(rates, values, style, marker="o", color=f"C{index}", label=f"{name}, p{share[:2]}")
    axes.set_yscale("log")
    axes.set_xlabel("webhooks per second, at a constant rate")
    axes.set_ylabel("ms since it was due")
    axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.yaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    _save(figure, file)


def _overload(figures: dict[str, Any], file: Path) -> None:
    """Draw a bar for each load: accepted, then refused by status."""
    shown = figures["overloads"]
    names = [f"{one['times']:g} x: {one['rate']:,}/s" for one in shown][::-1]
    accepted = [one["accepted"] / figures["seconds"] for one in shown][::-1]
    refused = [one["refused"] / figures["seconds"] for one in shown][::-1]
    figure, axes = plt.subplots(figsize=(7.5, 0.9 + 0.4 * len(shown)))
    axes.barh(names, accepted, color=_OURS, label="accepted")
    axes.barh(names, refused, left=accepted, color=_OTHERS, label="refused")
    axes.set_title(f"ingress given more than the {figures['peak']:,}/s that it can take: answers per second", loc="left")
    axes.legend(fontsize=8, frameon=False)
    _save(figure, file)


def _time_lines(figures: dict[str, Any], file: Path) -> None:
    """Draw the slowest answer of each fifth of a second, a panel for each fault, which is shaded; crosses are refusals."""
    faults = list(dict.fromkeys(one["fault"] for one in figures["faulted"] if one["fault"] != "none"))
    figure, panels = plt.subplots(len(faults), 1, figsize=(7.5, 2.1 * len(faults)), sharex=True, sharey=True)
    for axes, fault in zip(panels, faults, strict=True):
        for one in (one for one in figures["faulted"] if one["fault"] == fault):
            _time_line(axes, one)
        axes.axvspan(one["fault_at_s"], one["fault_at_s"] + figures["away_s"], color="#f6ddcc")
        axes.set_title(f"{fault} for {figures['away_s']:g} s", loc="left")
        axes.legend(fontsize=8, frameon=False, loc="upper right")
        axes.set_yscale("log")
        axes.set_ylim(0.5, 60_000)  # the legend lies above the lines
        axes.yaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    panels[-1].set_xlabel("seconds")
    panels[1].set_ylabel("slowest answer of each fifth of a second, ms")
    sent = figures["faulted"][0]["sent"]
    figure.suptitle(
        f"{figures['rate']} webhooks per second, {sent:,} in all; a cross: some were refused or cut off", fontsize=10
    )
    _save(figure, file)


def _time_line(axes: Any, one: dict[str, Any]) -> None:
    ours = one["name"] == "Hookline"
    colour = _OURS if ours else "#445566"
    answered = [(at, worst) for at, ok, bad, worst in one["beats"] if worst]
    failed = [at for at, _, bad, _ in one["beats"] if bad]
    label = f"{_WHO[one['name']]}: {one['never_handled']:,} lost"
    axes.plot(*zip(*answered, strict=True), color=colour, label=label)
    axes.plot(failed, [2.0 if ours else 1.4] * len(failed), "x", color=colour, markersize=4)


def _save(figure: Any, file: Path) -> None:
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
