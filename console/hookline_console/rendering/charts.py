"""Small charts of the last hours, as SVG: drawn on the server, so that no script has to. Pure."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from hookline_cli.output.durations import format_duration
from hookline_console.live.history import Point, Sample

SPAN_MS: Final = 3 * 3_600_000
"""The time that a chart covers."""
WIDTH: Final = 240
HEIGHT: Final = 48
_COLUMNS: Final = 120
_LABELS: Final = {
    "accepted": "accepted, events/s",
    "settled": "settled, events/s",
    "backlog": "unsettled events",
    "oldest": "age of the oldest",
    "waiting": "waiting conversations",
    "dead": "dead letters",
}


class Chart(NamedTuple):
    """A chart: its label, the newest and the largest value as text, and the lines, each as the points of a polyline."""

    label: str
    newest: str
    largest: str
    lines: Sequence[str]


def charts(points: Sequence[Point], now_ms: int) -> list[Chart]:
    """Return a chart of each number in a sample, of the time until `now_ms`. A gap in the samples is a gap in the line."""
    return [_chart(name, points, now_ms) for name in Sample._fields]


def _chart(name: str, points: Sequence[Point], now_ms: int) -> Chart:
    columns: list[float | None] = [None] * _COLUMNS
    for point in points:
        column = _COLUMNS - 1 - (now_ms - point.at_ms) * _COLUMNS // SPAN_MS
        value: float | None = getattr(point.sample, name)
        if 0 <= column < _COLUMNS and value is not None:
            columns[column] = max(value, columns[column] or 0.0)
    known = [value for value in columns if value is not None]
    newest = next((getattr(point.sample, name) for point in reversed(points)), None)
    largest = max(known, default=0.0)
    return Chart(_LABELS[name], _text(name, newest), _text(name, largest if known else None), _lines(columns, largest))


def _lines(columns: Sequence[float | None], largest: float) -> list[str]:
    lines: list[list[str]] = [[]]
    for at, value in enumerate(columns):
        if value is None:
            lines.append([])
        else:
            x, y = at * WIDTH / (_COLUMNS - 1), HEIGHT - 2 - (HEIGHT - 4) * (value / largest if largest else 0)
            lines[-1].append(f"{x:.1f},{y:.1f}")
    return [" ".join(line if len(line) > 1 else line * 2) for line in lines if line]


def _text(name: str, value: float | None) -> str:
    if value is None:
        return "unknown"
    if name == "oldest":
        return format_duration(int(value * 1000)) if value >= 1 else "none" if not value else "<1s"
    return f"{value:,.1f}" if name in ("accepted", "settled") else f"{value:,.0f}"
