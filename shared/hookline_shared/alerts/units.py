"""The units of alert values, and their format for people. Pure."""

from enum import StrEnum
from math import isfinite
from typing import Final

_DAY_S, _HOUR_S, _MINUTE_S = 86_400, 3600, 60
_SEVERAL: Final = 2
"""A unit is used from this number of it on: "90 s" is more precise than "2 min"."""
_TENTH: Final = 0.1


class Unit(StrEnum):
    """The unit of a threshold."""

    SECONDS = "seconds"
    SHARE = "share, from 0 to 1"
    COUNT = "number"
    MIB = "MiB"


def format_value(value: float, unit: Unit) -> str:
    """Return `value` with its unit."""
    if not isfinite(value):
        return "never"
    match unit:
        case Unit.SECONDS:
            return _duration(value)
        case Unit.SHARE:
            return f"{100 * value:.{0 if value >= _TENTH else 1}f} %"
        case Unit.MIB:
            return f"{value:,.0f} MiB"
    return f"{value:,.0f}"


def _duration(seconds: float) -> str:
    for length, name in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= _SEVERAL * length:
            return f"{seconds / length:.0f} {name}"
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
