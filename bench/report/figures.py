"""The raw figures as they are saved in the JSON, and what is computed from them."""

from collections.abc import Sequence
from typing import Final

import msgspec

from bench.latency.plan import Second
from bench.load.plan import Outcome
from bench.report.spread import Spread, spread

INGRESS: Final = "ingress"
"""What ingress is called among the receivers, at its default durability."""
FSYNC: Final = "ingress, fsync"
REPLICA: Final = "ingress, replica"
TWO: Final = "ingress, 2 processes"


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """All rounds of one receiver. `window_mb` is one per round."""

    name: str
    rounds: list[Outcome]
    window_mb: list[float]

    def failures(self) -> list[str]:
        """Return a line for each answer that was not 2xx."""
        return [
            f"{self.name}, round {number}: {count} times {status}"
            for number, outcome in enumerate(self.rounds, start=1)
            for status, count in outcome.failures.items()
        ]


class IngressFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Rounds of ingress and other receivers, in turns. `ready_s` is in seconds, one per start of ingress.

    `failed` tells of those that did not last to the end.
    """

    connections: int
    served: list[Served]
    ready_s: list[float]
    versions: dict[str, str] = {}
    failed: list[str] = []

    def of(self, name: str) -> list[Outcome]:
        """Return the rounds of a receiver; none if it was left out."""
        return next((one.rounds for one in self.served if one.name == name), [])

    def failures(self) -> list[str]:
        """Return a line for each answer that was not 2xx, and for each process that died or hung."""
        return [*self.failed, *(failure for one in self.served for failure in one.failures())]


class Drain(msgspec.Struct, frozen=True, kw_only=True):
    """One backlog, settled. `events` were settled in `seconds`; those before the first look are not among them.

    `busy` is the share of one core that each process used meanwhile, `idle` the share of each core that nobody used;
    `window_mb` the most that the processor ever had.
    """

    events: int
    seconds: float
    busy: dict[str, float]
    idle: dict[str, float]
    window_mb: float | None
    dead: int

    @property
    def rate(self) -> float:
        """Events settled per second."""
        return self.events / self.seconds

    @property
    def cpu_us(self) -> float | None:
        """CPU time of the first process per event, in microseconds, where the system tells."""
        used = self.busy.get("service")
        return used / self.rate * 1e6 if used else None


class Drains(msgspec.Struct, frozen=True, kw_only=True):
    """All rounds of one contender, with `jobs` each."""

    name: str
    jobs: int
    rounds: list[Drain]


class DrainFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Contenders that took turns. `versions` is of the peers among them, `ready_s` of the processor: seconds, one per start.

    `left_out` tells who could not take part on this machine, and why.
    """

    drains: list[Drains]
    failures: list[str]
    left_out: list[str] = []
    versions: dict[str, str] = {}
    ready_s: list[float] = []

    def of(self, name: str) -> list[Drain]:
        """Return the rounds of a contender; none if it was left out."""
        return next((drains.rounds for drains in self.drains if drains.name == name), [])

    def problems(self) -> list[str]:
        """Return the failures, and the number of dead letters."""
        dead = [(one.name, sum(drain.dead for drain in one.rounds)) for one in self.drains]
        return [*self.failures, *(f"{name}: {count} dead letters" for name, count in dead if count)]


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """What webhooks at `rate` per second took. `late_ms` is the most by which the load itself was behind."""

    name: str
    rate: int
    answered: int
    failures: dict[str, int]
    late_ms: float
    percentiles_ms: dict[str, float]


class LatencyFigures(msgspec.Struct, frozen=True, kw_only=True):
    """All servers at all rates, `seconds` each. `half_of_peak` is the one of them that is half of what ingress can take."""

    seconds: float
    measured: list[Latency]
    half_of_peak: int | None = None

    def failures(self) -> list[str]:
        """Return a line for each answer that was not 2xx."""
        return [
            f"{one.name} at {one.rate}/s: {count} times {what}" for one in self.measured for what, count in one.failures.items()
        ]


class Faulted(msgspec.Struct, frozen=True, kw_only=True):
    """One stage that met one fault.

    `broken_promises` were answered with a 2xx and never handled; `never_handled` are all those `sent` that were not, whatever
    the answer: Twilio sends most of them only once. The fault came `fault_at_s` seconds after the first webhook was due.
    """

    name: str
    fault: str
    sent: int
    acknowledged: int
    refused: dict[str, int]
    broken_promises: int
    never_handled: int
    p99_ms: float
    worst_ms: float
    fault_at_s: float
    by_second: list[Second]


class FaultFigures(msgspec.Struct, frozen=True, kw_only=True):
    """All stages and faults. A fault lasts `away_s` seconds."""

    rate: int
    seconds: float
    away_s: float
    faulted: list[Faulted]


class Overload(msgspec.Struct, frozen=True, kw_only=True):
    """Ingress given `times` what it can take: of those `sent`, how many it `accepted` and `refused` within `took_s` seconds.

    `took_s` lasts until the last answer, because the load still sends what was due when its time is over.
    `failures` counts by status what was not accepted. `late_ms` is the most by which the load itself was behind.
    `percentiles_ms` are of what was accepted, from when it was sent: what was due and found no free connection had not reached
    ingress yet. `window_mb` is the most that ingress ever had.
    """

    times: float
    rate: int
    sent: int
    accepted: int
    refused: int
    took_s: float
    failures: dict[str, int]
    late_ms: float
    percentiles_ms: dict[str, float]
    window_mb: float | None

    def per_second(self) -> tuple[float, float]:
        """Return how many webhooks were accepted and refused per second."""
        return self.accepted / self.took_s, self.refused / self.took_s


class OverloadFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Ingress at several times its `peak`, in requests per second, for `seconds` each."""

    peak: int
    seconds: float
    connections: int
    overloads: list[Overload]


class Depth(msgspec.Struct, frozen=True, kw_only=True):
    """Events per second appended with `calls` under way at a time, over as many connections."""

    calls: int
    per_second: float


class Operations(msgspec.Struct, frozen=True, kw_only=True):
    """What one event costs Redis when it is appended with `batch` - 1 others, its keys included."""

    batch: int
    us_per_event: float
    bytes_per_event: float


class OperationFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Costs to Redis. `settled_us` is what reading and settling one event takes, in microseconds."""

    events: int
    appended: list[Operations]
    settled_us: float
    depths: list[Depth] = []


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the jobs of one subject in one scenario. `seconds` is until all were done; None if they never were."""

    name: str
    scenario: str
    never: int
    twice: int
    seconds: float | None


class LossFigures(msgspec.Struct, frozen=True, kw_only=True):
    """All subjects in all scenarios. A job counts as never done after `patience_s` seconds in which nothing was done."""

    patience_s: float
    losses: list[Loss]
    failures: list[str]
    left_out: list[str] = []


def rates(rounds: Sequence[Outcome | Drain]) -> Spread:
    """Return the rates of the rounds, per second."""
    return spread([one.rate for one in rounds])


def taken_by_others(one: Outcome | Drain) -> float | None:
    """Return the share of the service's core that other programs or the hypervisor took; None where nothing is pinned."""
    idle, used = one.idle.get("service core"), one.busy.get("service")
    return None if idle is None or used is None else max(0.0, 1 - idle - used)


def ratios(ours: Sequence[Outcome | Drain], theirs: Sequence[Outcome | Drain]) -> list[float]:
    """Return the ratio of the rate of `ours` to that of `theirs`, for each pair of rounds."""
    return [one.rate / other.rate for one, other in zip(ours, theirs, strict=False) if other.rate]


def cpu_ratios(ours: Sequence[Outcome | Drain], theirs: Sequence[Outcome | Drain]) -> list[float]:
    """Return the same per second of CPU time: CPU time of other programs is excluded."""
    pairs = [(one.cpu_us, other.cpu_us) for one, other in zip(ours, theirs, strict=False)]
    return [other / one for one, other in pairs if one and other]
