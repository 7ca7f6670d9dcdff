"""The CPU use of processes and cores over a period, which distinguishes a slow service from one that had to wait."""

from collections.abc import Mapping

import msgspec

from bench.system.machine import cpu_seconds, idle_seconds


class Usage(msgspec.Struct, frozen=True):
    """Seconds so far: `busy` of each process, `idle` of each core, by name. What the system does not report is left out."""

    busy: dict[str, float]
    idle: dict[str, float]

    def since(self, earlier: "Usage", seconds: float) -> "Usage":
        """Return the shares of one core, 0 to 1, that were used or idle in the `seconds` since `earlier`."""
        return Usage(_shares(earlier.busy, self.busy, seconds), _shares(earlier.idle, self.idle, seconds))


def read_usage(processes: Mapping[str, int], cores: Mapping[str, int]) -> Usage:
    """Return the usage of processes, by id, and cores, by number."""
    busy = {name: cpu_seconds(pid) for name, pid in processes.items()}
    idle = {name: idle_seconds(core) for name, core in cores.items()}
    return Usage(_known(busy), _known(idle))


def _known(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}


def _shares(before: Mapping[str, float], after: Mapping[str, float], seconds: float) -> dict[str, float]:
    return {name: (value - before[name]) / seconds for name, value in after.items() if name in before and seconds}
