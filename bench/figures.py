"""What is measured: the raw figures as they go into the JSON, and what follows from them."""

import msgspec

from bench.plan import Outcome
from bench.spread import Spread, spread


class IngressFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Rounds of bare aiohttp and of ingress, in turns. `ready_s` is in seconds, one per start; `memory_mb` one per round."""

    connections: int
    bare: list[Outcome]
    ingress: list[Outcome]
    ready_s: list[float]
    memory_mb: list[float]

    def ratios(self) -> list[float]:
        """Give the rate of ingress as a share of bare aiohttp's, for each pair of rounds."""
        return [ours.rate / bare.rate for bare, ours in zip(self.bare, self.ingress, strict=True) if bare.rate]

    def cpu_ratios(self) -> list[float]:
        """Give the same per second of CPU time: what other programs take from the service's core does not count."""
        pairs = [(bare.cpu_us, ours.cpu_us) for bare, ours in zip(self.bare, self.ingress, strict=True)]
        return [bare / ours for bare, ours in pairs if bare is not None and ours is not None]

    def failures(self) -> list[str]:
        """Tell of every answer that was not 2xx."""
        rounds = [("bare aiohttp", self.bare), ("ingress", self.ingress)]
        return [
            f"{name}, round {number}: {count} times {status}"
            for name, outcomes in rounds
            for number, outcome in enumerate(outcomes, start=1)
            for status, count in outcome.failures.items()
        ]


class Drain(msgspec.Struct, frozen=True, kw_only=True):
    """One backlog, settled. `events` were settled in `seconds`; those before the first look are not among them.

    `busy` is the share of one core that each process used meanwhile, `idle` the share of each core that nobody used;
    `memory_mb` the most that the processor ever had.
    """

    events: int
    seconds: float
    busy: dict[str, float]
    idle: dict[str, float]
    memory_mb: float | None
    dead: int

    @property
    def rate(self) -> float:
        """Events settled per second."""
        return self.events / self.seconds


class ProcessorFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Rounds of the processor. `ready_s` is in seconds, one per start."""

    events: int
    drains: list[Drain]
    ready_s: list[float]

    def failures(self) -> list[str]:
        """Tell of every event that became a dead letter."""
        return [
            f"processor, round {number}: {drain.dead} dead letters"
            for number, drain in enumerate(self.drains, start=1)
            if drain.dead
        ]


def rates(rounds: list[Outcome] | list[Drain]) -> Spread:
    """Sum up how fast the rounds were, per second."""
    return spread([one.rate for one in rounds])


def taken_by_others(one: Outcome | Drain) -> float | None:
    """Give the share of the service's core that other programs or the hypervisor took; None where nothing is pinned."""
    idle, used = one.idle.get("service core"), one.busy.get("service")
    return None if idle is None or used is None else max(0.0, 1 - idle - used)
