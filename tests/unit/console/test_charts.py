"""Charts are drawn from samples: scaled to their largest value, with a gap where nothing was measured."""

from hookline_console.live.history import Point, Sample
from hookline_console.rendering.charts import HEIGHT, SPAN_MS, WIDTH, charts

NOW = 1_750_000_000_000


def at(minutes_ago: float, **values: float) -> Point:
    return Point(NOW - round(minutes_ago * 60_000), Sample(**values))


def test_line_has_gaps_and_is_scaled() -> None:
    """The newest sample is at the right, the largest at the top; what is too old is not drawn."""
    hour = [at(minute, backlog=minute) for minute in range(170, 120, -1)]
    points = [at(200, backlog=9999), *hour, at(1, backlog=0, oldest=75)]
    backlog = charts(points, NOW)[2]
    assert (backlog.label, backlog.newest, backlog.largest) == ("unsettled events", "0", "170")
    first, last = backlog.lines
    assert len(first.split(" ")) > 30
    assert min(float(point.split(",")[1]) for point in first.split(" ")) == 2
    assert last.split(" ")[0] == f"{WIDTH:.1f},{HEIGHT - 2:.1f}"
    assert charts(points, NOW)[3].newest == "1m"


def test_unknown_is_said() -> None:
    """Without a service that answers, there is no rate, which is not a rate of 0."""
    chart = charts([at(1, backlog=1)], NOW)[0]
    assert (chart.newest, chart.largest, chart.lines) == ("unknown", "unknown", [])
    assert SPAN_MS == 3 * 3_600_000
