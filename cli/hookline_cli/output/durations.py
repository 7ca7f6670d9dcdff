"""Durations and timestamps as text. Pure."""

from typing import Final

import typer

from hookline_cli.output.timestamps import AGE, SECONDS, format_timestamp

_UNITS_MS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000}


def parse_duration(text: str) -> int:
    """Return a duration such as 90s, 30m, 2h or 1d in milliseconds.

    Raises:
        typer.BadParameter: if it is none.

    """
    if found := AGE.fullmatch(text.strip()):
        return round(float(found[1]) * SECONDS[found[2]] * 1000)
    raise typer.BadParameter(f"{text!r} is not a duration such as 90s, 30m, 2h or 1d")


def format_duration(milliseconds: int) -> str:
    """Return a duration in its largest unit, rounded down; "<1s" for less than a second, or for a negative one."""
    for unit, length in _UNITS_MS.items():
        if milliseconds >= length:
            return f"{milliseconds // length}{unit}"
    return "<1s"


def describe_timestamp(unix_ms: int) -> str:
    """Return a timestamp in UTC, to the second; a number outside the calendar as it is."""
    try:
        return f"{format_timestamp(unix_ms)} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{unix_ms} ms"
