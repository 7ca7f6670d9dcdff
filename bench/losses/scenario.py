"""The fault scenarios for the workers. Pure."""

from enum import StrEnum
from typing import Final

JOBS: Final = 600
KILLED_AFTER: Final = 200


class Scenario(StrEnum):
    """A fault scenario for a worker with 600 jobs of 10 to 50 ms."""

    KILLED = "killed"
    RAISING = "killed, 1 in 10 raises once"
    EARLY = "queued before any worker"

    @property
    def kills(self) -> bool:
        """Whether the worker is killed after about 200 jobs, and started again at once."""
        return self is not Scenario.EARLY

    def settings(self) -> dict[str, str]:
        """Return the environment variables that make jobs raise, or keep the consumer group from being made in advance."""
        return {Scenario.RAISING: {"BENCH_RAISING": "1"}, Scenario.EARLY: {"BENCH_BEFORE_WORKER": "1"}}.get(self, {})
