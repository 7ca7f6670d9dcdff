"""What is to be reached: now, with the first milestone, and later. Pure."""

import msgspec

from bench.figures import IngressFigures, ProcessorFigures, rates
from bench.spread import Spread, spread


class Row(msgspec.Struct, frozen=True):
    """One line of the table. `decimals` is how many to show; `at_most` tells that less is better."""

    what: str
    value: Spread
    decimals: int
    now: float | None = None
    later: float | None = None
    at_most: bool = False

    def meets(self, target: float) -> bool:
        """Tell whether the median reaches `target`."""
        return self.value.median <= target if self.at_most else self.value.median >= target


def ingress_rows(figures: IngressFigures) -> list[Row]:
    """Put the figures of ingress beside their targets."""
    return [
        Row("bare aiohttp, requests/s", rates(figures.bare), 0),
        Row("ingress, requests/s", rates(figures.ingress), 0),
        *_optional("ingress / bare aiohttp", figures.ratios(), 2, now=0.45, later=0.65),
        *_optional("the same per CPU second", figures.cpu_ratios(), 2),
        Row("bare aiohttp p99, ms", spread([one.p99_ms for one in figures.bare]), 1),
        Row("ingress p50, ms", spread([one.p50_ms for one in figures.ingress]), 1),
        Row("ingress p99, ms", spread([one.p99_ms for one in figures.ingress]), 1),
        *_optional("ingress memory, MB", figures.memory_mb, 1, now=70, later=70, at_most=True),
        *_optional("ingress start, s", figures.ready_s, 2, now=1, later=1, at_most=True),
    ]


def processor_rows(figures: ProcessorFigures) -> list[Row]:
    """Put the figures of the processor beside their targets."""
    memory = [drain.memory_mb for drain in figures.drains if drain.memory_mb is not None]
    return [
        Row("processor, events/s", rates(figures.drains), 0, now=8_000, later=20_000),
        *_optional("processor memory, MB", memory, 1, now=100, later=100, at_most=True),
        *_optional("processor start, s", figures.ready_s, 2, now=1, later=1, at_most=True),
    ]


def _optional(
    what: str,
    values: list[float],
    decimals: int,
    *,
    now: float | None = None,
    later: float | None = None,
    at_most: bool = False,
) -> list[Row]:
    """Give a row, or none where this machine cannot tell the values."""
    return [Row(what, spread(values), decimals, now, later, at_most)] if values else []
