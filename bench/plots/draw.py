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
    "axes.axisbelow": True,
    "figure.constrained_layout.use": True,
}
_SYSTEMS: Final = {
    "Hookline": "Hookline",
    "aiohttp + XADD": "aiohttp:\nXADD, then answer",
    "in the request": "aiohttp: work,\nthen answer",
}
_SERVERS: Final = {
    "bare aiohttp": "bare aiohttp",
    "ingress": "ingress",
    "ingress + processor": "ingress, processor beside it",
    "until handler started": "webhook to start of handler",
}
_OUTCOMES: Final = {"accepted (2xx)": "#e08e83", "refused (503)": "#b4c0cb", "no answer": "#f6ddcc"}
_GRID: Final = "#e8ebee"
_FAULT: Final = "#f6ddcc"
_IN_FULL: Final = {
    "bare aiohttp": "bare aiohttp (only answers)",
    "ingress, 2 processes": "ingress, 2 processes (2 cores)",
    "raw loop": "raw loop (no order, no retries)",
}
_CEILINGS: Final = {"raw loop", "bare aiohttp"}


def main() -> None:
    """Draw a chart for each measured part."""
    results, directory = Path(sys.argv[1]), Path(sys.argv[2])
    report = json.loads(results.read_text())
    mpl.rcParams.update(_SETTINGS)
    if report.get("peers"):
        jobs = [(one["name"], [_rate(drain, "events") for drain in one["rounds"]]) for one in report["peers"]["drains"]]
        _bars(jobs, "Jobs per second, one core, handler that does nothing", directory / "jobs.svg")
    if report.get("ingress"):
        webhooks = [
            (one["name"], [_rate(outcome, "answered") for outcome in one["rounds"]]) for one in report["ingress"]["served"]
        ]
        _bars(
            webhooks,
            "Webhooks verified and stored per second, one core",
            directory / "webhooks.svg",
        )
    if report.get("latency"):
        _latencies(report["latency"], directory / "latency.svg")
    if report.get("overload"):
        _overload(report["overload"], directory / "overload.svg")
    if report.get("faults"):
        _success(report["faults"], directory / "faults.svg")


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
    axes.barh(
        [_IN_FULL.get(name, name) for name, _ in shown],
        middles,
        xerr=reach,
        color=[_colour(name) for name, _ in shown],
        ecolor="#444",
    )
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
    """Draw p50 and p99 of each server as the ends of a line, a panel for each rate."""
    rates = sorted({one["rate"] for one in latency["measured"]})
    servers = [name for name in _SERVERS if any(one["name"] == name for one in latency["measured"])]
    rows = [[one for one in latency["measured"] if one["rate"] == rate] for rate in rates]
    heights = [len(row) + 0.6 for row in rows]
    figure, panels = plt.subplots(
        len(rates), 1, figsize=(7.5, 1.1 + 0.27 * sum(heights)), sharex=True, squeeze=False, height_ratios=heights
    )
    for axes, rate, row in zip(panels.flat, rates, rows, strict=True):
        half = " (half of what ingress can take)" if rate == latency["half_of_peak"] else ""
        axes.set_title(f"{rate:,} webhooks per second{half}", loc="left", fontsize=10)
        shown = sorted(row, key=lambda one: servers.index(one["name"]), reverse=True)
        for at, one in enumerate(shown):
            _range(axes, at, one["percentiles_ms"], _OTHERS if one["name"] in _CEILINGS else _OURS)
        axes.set_yticks(range(len(shown)), [_SERVERS[one["name"]] for one in shown])
        axes.set_ylim(-0.6, len(shown) - 0.4)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=_GRID)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:g}"))
    axes.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    axes.margins(x=0.1)
    axes.set_xlabel("milliseconds, logarithmic")
    figure.suptitle("Latency since a webhook was due: p50 (open circle) to p99 (full circle)", x=0.01, ha="left", fontsize=11)
    _save(figure, file)


def _range(axes: Any, at: float, percentiles_ms: dict[str, float], colour: str) -> None:
    """Draw a line from p50 to p99 at height `at`."""
    p50, p99 = percentiles_ms["50.0"], percentiles_ms["99.0"]
    axes.plot([p50, p99], [at, at], color=colour, linewidth=2, zorder=2)
    axes.plot(p50, at, "o", color=colour, markerfacecolor="white", zorder=3)
    axes.plot(p99, at, "o", color=colour, zorder=3)
    for value, points, side in ((p50, -6, "right"), (p99, 6, "left")):
        axes.annotate(f"{value:.1f}", (value, at), (points, 0), textcoords="offset points", va="center", ha=side, fontsize=8)


def _overload(figures: dict[str, Any], file: Path) -> None:
    """Draw a bar for each load, the least first: the shares that were accepted, refused, and not answered."""
    shown = sorted(figures["overloads"], key=lambda one: one["rate"], reverse=True)
    names = [f"{one['times']:g} x peak: {one['rate']:,} per second" for one in shown]
    shares = [[100 * one[count] / one["sent"] for one in shown] for count in ("accepted", "refused")]
    shares.append([100 - accepted - refused for accepted, refused in zip(*shares, strict=True)])
    figure, axes = plt.subplots(figsize=(7.5, 1.4 + 0.4 * len(shown)))
    left = [0.0] * len(shown)
    for (label, colour), values in zip(_OUTCOMES.items(), shares, strict=True):
        bars = axes.barh(names, values, left=left, color=colour, label=label)
        axes.bar_label(bars, [f"{value:.0f} %" if value >= 1 else "" for value in values], label_type="center")
        left = [start + value for start, value in zip(left, values, strict=True)]
    axes.set_title(f"Webhooks offered to ingress, by outcome (peak: {figures['peak']:,} per second)", loc="left", fontsize=10)
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of the webhooks offered")
    figure.legend(fontsize=8, frameon=False, loc="outside lower right", ncols=3)
    _save(figure, file)


def _success(figures: dict[str, Any], file: Path) -> None:
    """Draw the success rate of each second, a row for each system and a column for each fault, which is shaded."""
    faults = list(dict.fromkeys(one["fault"] for one in figures["faulted"] if one["fault"] != "none"))
    systems = list(dict.fromkeys(one["name"] for one in figures["faulted"]))
    trials = {(one["name"], one["fault"]): one for one in figures["faulted"]}
    figure, grid = plt.subplots(
        len(systems), len(faults), figsize=(9, 0.7 + 1.5 * len(systems)), sharex=True, sharey=True, squeeze=False
    )
    for row, system in zip(grid, systems, strict=True):
        for axes, fault in zip(row, faults, strict=True):
            _success_panel(axes, trials.get((system, fault)), figures)
        row[0].set_ylabel(_SYSTEMS[system])
    for axes, fault in zip(grid[0], faults, strict=True):
        axes.set_title(f"{fault} for {figures['away_s']:g} s", fontsize=10)
    for axes in grid[-1]:
        axes.set_xlabel("seconds")
    figure.suptitle(
        f"Success rate: webhooks with a 2xx within Twilio's 15 s, of the {figures['rate']} due in each second", fontsize=10
    )
    _save(figure, file)


def _success_panel(axes: Any, trial: dict[str, Any] | None, figures: dict[str, Any]) -> None:
    if trial is None:
        axes.text(figures["seconds"] / 2, 50, "no handler to kill", ha="center", va="center", color="#666")
        return
    axes.axvspan(trial["fault_at_s"], trial["fault_at_s"] + figures["away_s"], color=_FAULT, linewidth=0)
    rates = [100 * second["in_time"] / second["due"] for second in trial["by_second"]]
    colour = _OURS if trial["name"] == "Hookline" else "#445566"
    axes.stairs(rates, range(len(rates) + 1), baseline=None, color=colour, linewidth=1.8)
    in_time = sum(second["in_time"] for second in trial["by_second"])
    axes.text(figures["seconds"] - 0.2, 6, f"{in_time:,} of {trial['sent']:,}", fontsize=8, color=colour, ha="right")
    axes.set_xlim(0, figures["seconds"])
    axes.set_ylim(0, 108)
    axes.set_yticks([0, 50, 100], ["0 %", "50 %", "100 %"])
    axes.set_xticks(range(0, int(figures["seconds"]) + 1, 3))
    axes.grid(axis="y", color=_GRID)


def _save(figure: Any, file: Path) -> None:
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
