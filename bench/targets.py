"""What is to be reached. Pure."""

from typing import Final

import msgspec

from bench.drain.parts import HOOKLINE
from bench.figures import Drain, DrainFigures, Drains, IngressFigures, cpu_ratios, rates, ratios
from bench.spread import Spread, spread

_TIMES: Final = {"FastStream": 6.0, "taskiq-redis": 6.0, "streaq": 6.0, "arq": 6.0, "BullMQ": 1.5}
"""How many times as fast as each peer the processor is to be."""
_STEADY: Final = dict.fromkeys(("8 partitions, 10k", "8 partitions, 1M", "1 partition", "64 partitions"), 0.85)
"""What share of its speed the processor is to keep, whatever the backlog and the partitions."""


class Row(msgspec.Struct, frozen=True):
    """One line of the table. `decimals` is how many to show; `at_most` tells that less is better."""

    what: str
    value: Spread
    decimals: int
    target: float | None = None
    at_most: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the median reaches the target; None if there is none."""
        if self.target is None:
            return None
        return self.value.median <= self.target if self.at_most else self.value.median >= self.target


def ingress_rows(figures: IngressFigures) -> list[Row]:
    """Put the figures of ingress beside their targets."""
    return [
        Row("bare aiohttp, requests/s", rates(figures.bare), 0),
        Row("ingress, requests/s", rates(figures.ingress), 0),
        *_optional("ingress / bare aiohttp", figures.ratios(), 2, target=0.65),
        *_optional("the same per CPU second", figures.cpu_ratios(), 2),
        Row("bare aiohttp p99, ms", spread([one.p99_ms for one in figures.bare]), 1),
        Row("ingress p50, ms", spread([one.p50_ms for one in figures.ingress]), 1),
        Row("ingress p99, ms", spread([one.p99_ms for one in figures.ingress]), 1),
        *_optional("ingress memory, MB", figures.memory_mb, 1, target=70, at_most=True),
        *_optional("ingress start, s", figures.ready_s, 2, target=1, at_most=True),
    ]


def peer_rows(figures: DrainFigures) -> list[Row]:
    """Put the processor beside its peers: jobs per second, then how many times as fast it is."""
    ours = figures.of(HOOKLINE)
    memory = [drain.memory_mb for drain in ours if drain.memory_mb is not None]
    theirs = [one for one in figures.drains if one.name != HOOKLINE and one.rounds]
    return [
        *_optional("processor, jobs/s", [drain.rate for drain in ours], 0, target=20_000),
        *_optional("processor memory, MB", memory, 1, target=100, at_most=True),
        *_optional("processor start, s", figures.ready_s, 2, target=1, at_most=True),
        *(row for one in theirs for row in _beside(ours, one, figures.versions.get(one.name, ""))),
    ]


def variant_rows(figures: DrainFigures) -> list[Row]:
    """Put each setting of the processor beside the first."""
    basis = figures.drains[0]
    return [
        row
        for one in figures.drains
        if one.rounds
        for row in (
            Row(f"processor, {one.name}, jobs/s", rates(one.rounds), 0),
            *_optional(
                "  / " + basis.name, ratios(one.rounds, basis.rounds) if one is not basis else [], 2, _STEADY.get(one.name)
            ),
        )
    ]


def _beside(ours: list[Drain], peer: Drains, version: str) -> list[Row]:
    return [
        Row(f"{peer.name} {version}, jobs/s", rates(peer.rounds), 0),
        *_optional(f"  processor / {peer.name}", ratios(ours, peer.rounds), 2, target=_TIMES.get(peer.name)),
        *_optional("  the same per CPU second", cpu_ratios(ours, peer.rounds), 2),
    ]


def _optional(
    what: str, values: list[float], decimals: int, target: float | None = None, *, at_most: bool = False
) -> list[Row]:
    """Give a row, or none where this machine cannot tell the values."""
    return [Row(what, spread(values), decimals, target, at_most)] if values else []
