"""The values that alerts are about, and how they are told to people. Pure."""

from enum import StrEnum
from math import isfinite
from typing import Final

_DAY_S, _HOUR_S, _MINUTE_S = 86_400, 3600, 60
_SEVERAL: Final = 2
"""From so many of a unit on it is used: "90 s" tells more than "2 min"."""
_TENTH: Final = 0.1


class Unit(StrEnum):
    """What a threshold is given in."""

    SECONDS = "seconds"
    SHARE = "share, from 0 to 1"
    COUNT = "number"
    MIB = "MiB"


def told(value: float, unit: Unit) -> str:
    """Give `value` in words."""
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
