"""Spans of time and moments, as people read them. Pure."""

from typing import Final

from hookline_cli.moments import shown

_UNITS_MS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000}


def describe_span(milliseconds: int) -> str:
    """Give a span in its largest unit, rounded down, and <1s for less than a second, or for one that is negative."""
    for unit, length in _UNITS_MS.items():
        if milliseconds >= length:
            return f"{milliseconds // length}{unit}"
    return "<1s"


def describe_moment(unix_ms: int) -> str:
    """Give a moment in UTC, to the second; one that no calendar has as its number."""
    try:
        return f"{shown(unix_ms)} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{unix_ms} ms"
