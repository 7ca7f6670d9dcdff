"""Draw the costs of versions: `python history.py FIGURES.json DIRECTORY`, in the environment of bench/plots."""

import json
import sys
from pathlib import Path
from statistics import median
from typing import Final

import matplotlib as mpl
from matplotlib import pyplot as plt

_NOW: Final = "#c0392b"
_BEFORE: Final = "#8899aa"
_SETTINGS: Final = {
    "svg.fonttype": "none",
    "svg.hashsalt": "hookline",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
}


def main() -> None:
    """Draw a panel for each unit, with a bar for each version: the oldest on top, the working tree last."""
    measured, directory = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    mpl.rcParams.update(_SETTINGS)
    versions = len(measured[0][1])
    figure, panels = plt.subplots(len(measured), 1, figsize=(7.5, len(measured) * (0.7 + 0.36 * versions)), squeeze=False)
    for axes, (unit, by_version) in zip(panels.flat, measured, strict=True):
        middles = {name: median(values) for name, values in by_version.items()}
        bars = axes.barh(list(middles), list(middles.values()), color=[_NOW if name == "now" else _BEFORE for name in middles])
        axes.bar_label(bars, [f" {value:.1f} µs" for value in middles.values()])
        axes.set_title(f"CPU time of {unit}", loc="left")
        axes.margins(x=0.12)
        axes.invert_yaxis()
        axes.xaxis.set_visible(False)
    figure.savefig(directory / "history.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
