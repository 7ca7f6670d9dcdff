"""When an alert fires and when it is resolved: the keys of `[alerts.<name>]` in the TOML file."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from hookline_shared.observability.loop_lag import LONGEST_WINDOW_S


class Level(StrEnum):
    """The severity of an alert."""

    WARNING = "warning"
    """Fix it soon."""
    CRITICAL = "critical"
    """Fix it now: webhooks are being lost, or soon will be."""


class Threshold(BaseModel):
    """The thresholds and times of one alert. Thresholds are in the unit of the rule (docs/alerts.md), times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    threshold: float = Field(description="The value at which the alert fires", ge=0)
    clear: float = Field(description="The value at which the alert is resolved", ge=0)
    for_s: float = Field(
        description="Seconds for which the value must stay beyond a limit before the alert fires or is resolved", ge=0
    )
    window_s: float | None = Field(None, description="Seconds over which the value is computed", gt=0, le=LONGEST_WINDOW_S)
    level: Level = Field(description="warning or critical", strict=False)
    enabled: bool = Field(True, description="Whether the alert is evaluated")
