"""Spans of time and moments, as people write and read them. Pure."""

import re
from datetime import UTC, datetime
from typing import Final

import typer

_UNITS_MS: Final = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_SPAN: Final = re.compile(r"(?:\d{1,6}[smhdw])+", re.ASCII)
_PART: Final = re.compile(r"(\d+)([smhdw])", re.ASCII)


def parse_span(text: str) -> int:
    """Give the milliseconds of a span such as 90s, 30m, 2h, 1d or 1h30m.

    Raises:
        BadParameter: if it is none.

    """
    if not _SPAN.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is no span of time. Write it as 90s, 30m, 2h, 1d or 1h30m.")
    return sum(int(number) * _UNITS_MS[unit] for number, unit in _PART.findall(text))


def describe_span(milliseconds: int) -> str:
    """Give a span in its largest unit, rounded down, <1s for less than a second, or for one that is negative."""
    for unit in ("d", "h", "m", "s"):
        if milliseconds >= _UNITS_MS[unit]:
            return f"{milliseconds // _UNITS_MS[unit]}{unit}"
    return "<1s"


def describe_moment(unix_ms: int) -> str:
    """Give a moment in UTC, to the second."""
    try:
        return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{unix_ms} ms"
