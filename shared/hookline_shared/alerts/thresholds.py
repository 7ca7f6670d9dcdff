"""When an alert fires and when it is resolved: the keys of `[alerts.<name>]` in the TOML file."""

import math
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from hookline_shared.observability.loop_lag import LONGEST_WINDOW_S
from hookline_shared.validation import Check, NotNegative, SettingsTable


class Level(StrEnum):
    """The severity of an alert."""

    WARNING = "warning"
    """Fix it soon."""
    CRITICAL = "critical"
    """Fix it now: webhooks are being lost, or soon will be."""


def _finite(number: float) -> float:
    if math.isinf(number):
        raise ValueError("it must be a finite number")
    return number


_Value = Annotated[NotNegative, Check(_finite)]


class Threshold(SettingsTable, frozen=True, kw_only=True):
    """The thresholds and times of one alert. Thresholds are in the unit of the rule (docs/alerts.md), times in seconds."""

    threshold: _Value
    """The value at which the alert fires."""
    clear: _Value
    """The value at which the alert is resolved."""
    for_s: _Value
    """Seconds for which the value must stay beyond a limit before the alert fires or is resolved."""
    window_s: Annotated[float, Meta(gt=0, le=LONGEST_WINDOW_S)] | None = None
    """Seconds over which the value is computed."""
    level: Level
    enabled: bool = True
    """Whether the alert is evaluated."""
