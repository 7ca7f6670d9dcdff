"""The input and output of the load generator: JSON over standard input and output."""

import msgspec


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to send. Message numbers begin at `first`; the measured time, in seconds, follows a lead-in that is not measured.

    `watched` are processes whose use of CPU time is told, by name; `cores` are those whose idle time is told, by name.
    """

    port: int
    connections: int
    lead_in_s: float
    seconds: float
    first: int
    requests: int
    watched: dict[str, int]
    cores: dict[str, int]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The result. `answered` counts 2xx within `seconds`; `failures` counts anything else, at any time, by its status.

    `busy` is the share of one core that each watched process used, the load itself included; `idle` the share of each core
    that nobody used. `ran_out` tells that the requests ended before the time did.
    """

    answered: int
    seconds: float
    failures: dict[str, int]
    p50_ms: float
    p99_ms: float
    busy: dict[str, float]
    idle: dict[str, float]
    ran_out: bool

    @property
    def rate(self) -> float:
        """Requests answered with a 2xx, per second."""
        return self.answered / self.seconds if self.seconds else 0.0

    @property
    def cpu_us(self) -> float | None:
        """CPU time of the service per accepted request, in microseconds, where the system tells."""
        used = self.busy.get("service")
        return used / self.rate * 1e6 if used and self.rate else None
