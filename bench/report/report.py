"""The result: a table for people, and all raw figures as JSON."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bench.errors import BenchError
from bench.load.plan import Outcome
from bench.report.figures import (
    Drain,
    DrainFigures,
    FaultFigures,
    IngressFigures,
    LatencyFigures,
    LossFigures,
    OperationFigures,
    OverloadFigures,
    taken_by_others,
)
from bench.report.targets import Row, ingress_rows, latency_targets, operation_rows, peer_rows, variant_rows
from bench.system.machine import Machine

_CALM: Final = 0.05
"""Up to this share of the service's core taken by others, a measurement counts as undisturbed."""


class Report(msgspec.Struct, kw_only=True):
    """Everything of one run. A part that was not asked for, or failed, is None; `problems` has a line for every failure.

    `left_out` tells who could not take part on this machine, which is no failure.
    """

    started_at: datetime
    machine: Machine
    pinned: bool
    ingress: IngressFigures | None = None
    peers: DrainFigures | None = None
    variants: DrainFigures | None = None
    losses: LossFigures | None = None
    operations: OperationFigures | None = None
    latency: LatencyFigures | None = None
    overload: OverloadFigures | None = None
    faults: FaultFigures | None = None
    problems: list[str] = []
    left_out: list[str] = []

    def rows(self) -> list[Row]:
        """Return all rows of medians."""
        return [
            *(ingress_rows(self.ingress) if self.ingress else []),
            *(peer_rows(self.peers) if self.peers else []),
            *(variant_rows(self.variants) if self.variants else []),
            *(operation_rows(self.operations) if self.operations else []),
        ]

    def targets(self) -> list[Row]:
        """Return all targets that were measured."""
        promised = [row for row in self.rows() if row.target is not None]
        return [*promised, *(latency_targets(self.latency) if self.latency else [])]


def show_machine(console: Console, machine: Machine) -> None:
    """Print the machine."""
    console.print(f"{machine.cpu}, {machine.cores} core{'s' * (machine.cores != 1)}, {machine.system}", highlight=False)
    node = f", Node.js {machine.node}" if machine.node else ""
    console.print(
        f"Python {machine.python}, aiohttp {machine.aiohttp}, uvloop {machine.uvloop}, Redis {machine.redis}{node}",
        highlight=False,
    )


def show(console: Console, report: Report) -> None:
    """Print the tables, the CPU use, the targets, and the problems."""
    _show_rows(console, report.rows())
    for further in _further_tables(report):
        console.print(further)
    for line in _busy_lines(report):
        console.print(line, highlight=False, soft_wrap=True)
    console.print()
    _show_targets(console, report.targets())
    for line in dict.fromkeys(report.left_out):
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    for problem in report.problems:
        console.print(problem, style="red", markup=False, highlight=False, soft_wrap=True)


def _show_rows(console: Console, rows: Sequence[Row]) -> None:
    table = _table("", "median", "min", "max", "target", to_the_left=1)
    for row in rows:
        figures = (row.value.median, row.value.least, row.value.greatest)
        table.add_row(row.what, *(_figure(row, figure) for figure in figures), _target(row))
    if table.rows:
        console.print(table)


def _show_targets(console: Console, rows: Sequence[Row]) -> None:
    table = _table("what was promised", "median", "target", to_the_left=1)
    for row in rows:
        table.add_row(row.promise, _figure(row, row.value.median), _target(row))
    if table.rows:
        console.print(table)


def save(report: Report, directory: Path) -> Path:
    """Write the raw figures into `directory`; return the file."""
    directory.mkdir(exist_ok=True)
    file = directory / f"{report.started_at:%Y%m%dT%H%M%SZ}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    return file


def load(file: Path) -> Report:
    """Read the figures of an earlier run.

    Raises:
        BenchError: if they are none, or of a version that measured otherwise.

    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=Report)
    except msgspec.MsgspecError as error:
        raise BenchError(f"{file} has no figures that this version knows: {error}") from None


def _further_tables(report: Report) -> Iterator[Table]:
    """Yield the tables that are not rows of medians."""
    if report.latency:
        yield _latency_table(report.latency)
    if report.overload:
        yield _overload_table(report.overload)
    if report.faults:
        yield _fault_table(report.faults)
    if report.losses:
        yield _loss_table(report.losses)


def _latency_table(figures: LatencyFigures) -> Table:
    """Return the percentiles, a line for each server and rate."""
    shares = list(figures.measured[0].percentiles_ms)
    names = ["max" if share == "100.0" else f"p{float(share):g}" for share in shares]
    table = _table("per s", "ms since it was due", *names, "late", to_the_left=2)
    for one in figures.measured:
        late = f"{one.late_ms:.1f}" if one.late_ms else ""
        table.add_row(f"{one.rate:,}", one.name, *(f"{one.percentiles_ms[share]:.1f}" for share in shares), late)
    return table


def _overload_table(figures: OverloadFigures) -> Table:
    """Return the results under overload, a line for each load."""
    table = _table(
        f"x {figures.peak:,}/s", "refused as", "2xx/s", "others/s", "p50, ms", "p99, ms", "MB", "late, ms", to_the_left=2
    )
    for one in figures.overloads:
        accepted, refused = one.per_second()
        latencies = [f"{one.percentiles_ms[share]:,.1f}" for share in ("50.0", "99.0")]
        memory = f"{one.window_mb:.1f}" if one.window_mb else ""
        why = ", ".join(sorted(one.failures))
        table.add_row(f"{one.times:g}", why, f"{accepted:,.0f}", f"{refused:,.0f}", *latencies, memory, f"{one.late_ms:,.0f}")
    return table


def _fault_table(figures: FaultFigures) -> Table:
    """Return the effect of the faults, a line for each."""
    title = f"of {figures.faulted[0].sent:,}"
    table = _table(title, "", "2xx", "lost", "of 2xx", "p99, ms", "max, ms", to_the_left=2)
    for one in figures.faulted:
        counts = [f"{count:,}" for count in (one.acknowledged, one.never_handled, one.broken_promises)]
        table.add_row(one.fault, one.name, *counts, f"{one.p99_ms:,.0f}", f"{one.worst_ms:,.0f}")
    return table


def _loss_table(figures: LossFigures) -> Table:
    """Return the losses, a line for each subject and scenario."""
    table = _table("600 jobs", "", "not done", "twice", "seconds", to_the_left=2)
    table.caption = f"not done: waited for until nothing was done for {figures.patience_s:g} s; seconds: until all were done"
    for loss in figures.losses:
        seconds = f"{loss.seconds:.1f}" if loss.seconds is not None else ""
        table.add_row(loss.scenario, loss.name, str(loss.never), str(loss.twice), seconds)
    return table


def _table(*headers: str, to_the_left: int) -> Table:
    """Return an empty table that keeps every cell on one line, and all but its first columns to the right."""
    table = Table(*headers, box=SIMPLE, pad_edge=False, show_edge=False, collapse_padding=True)
    for number, column in enumerate(table.columns):
        column.no_wrap = True
        column.justify = "left" if number < to_the_left else "right"
    return table


def _figure(row: Row, figure: float) -> str:
    return f"{figure:,.{row.decimals}f}"


def _target(row: Row) -> str:
    if row.met is None:
        return ""
    verdict = "[green]yes[/green]" if row.met else "[red]no[/red]"
    return f"{'≤' if row.at_most else '≥'} {row.target:,g} {verdict}"


def _busy_lines(report: Report) -> list[str]:
    """Return a line for each kind of round with the CPU use: a service below 100 % was held up by something else."""
    lines = []
    if report.ingress:
        lines += [_busy(one.name, one.rounds) for one in report.ingress.served if one.rounds]
    for figures in (report.peers, report.variants):
        lines += [_busy(one.name, one.rounds) for one in figures.drains if one.rounds] if figures else []
    return lines


def _busy(name: str, rounds: Sequence[Outcome | Drain]) -> str:
    """Return the median shares of one core over all rounds."""
    shares = [f"{who} {_median(one.busy[who] for one in rounds):.0%}" for who in rounds[-1].busy]
    shares += [f"{core} idle {_median(one.idle[core] for one in rounds):.0%}" for core in rounds[-1].idle]
    return f"CPU, {name}: {', '.join(shares) or 'unknown on this system'}{_disturbance(rounds)}"


def _disturbance(rounds: Sequence[Outcome | Drain]) -> str:
    """Warn if the figures are lower than they would be on a machine with nothing else to do."""
    worst = max((taken_by_others(one) or 0.0 for one in rounds), default=0.0)
    return f"; [yellow]others took up to {worst:.0%} of the service core[/yellow]" if worst > _CALM else ""


def _median(values: Iterable[float]) -> float:
    return median(list(values))
