"""When an alert is raised and cleared: what `[alerts.<name>]` in the TOML file can say."""

from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

LONGEST_WINDOW_S: Final = 3600.0
"""What is remembered of the past."""


class Level(StrEnum):
    """How much an alert matters."""

    WARNING = "warning"
    """See to it soon."""
    CRITICAL = "critical"
    """See to it now: webhooks are lost, or soon will be."""


class Limit(BaseModel):
    """The unit of the thresholds is the alert's own, see docs/alerts.md; times are in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    threshold: float = Field(description="The value at which it is raised", ge=0)
    clear: float = Field(description="The value at which it is cleared", ge=0)
    for_s: float = Field(description="Seconds for which it must be so", ge=0)
    window_s: float | None = Field(None, description="Seconds over which the value is taken", gt=0, le=LONGEST_WINDOW_S)
    level: Level = Field(description="warning or critical", strict=False)
    enabled: bool = Field(True, description="Whether it is watched at all")
