"""`python -m bench`: measure, show, keep the figures. Exit code 1 tells that something failed, not that it was slow."""

import signal
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Annotated, Final, NamedTuple, TypeVar

import typer
from rich.console import Console

from bench.bed import Bed
from bench.figures import IngressFigures, ProcessorFigures
from bench.ingress_rounds import IngressRounds
from bench.journal import journal
from bench.machine import Cores, assign_cores, describe, pin
from bench.private_redis import private_redis
from bench.processor_rounds import ProcessorRounds
from bench.report import Report, save, show, show_machine
from shared.errors import HooklineError

_RESULTS: Final = Path(__file__).parent / "results"
_INGRESS_ROUNDS: Final = 5
_PROCESSOR_ROUNDS: Final = 3

Figures = TypeVar("Figures")


class Part(StrEnum):
    """What can be measured alone."""

    INGRESS = "ingress"
    PROCESSOR = "processor"


class Options(NamedTuple):
    """How much to measure."""

    only: Part | None
    rounds: int | None
    seconds: float
    connections: int
    events: int


def main(
    rounds: Annotated[
        int | None, typer.Option(min=1, max=50, help="Rounds of each part; by default 5 of ingress, 3 of the processor.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.5, max=30, help="Length of a round of ingress, in seconds.")] = 3.0,
    connections: Annotated[int, typer.Option(min=1, max=1000, help="Keep-alive connections to ingress.")] = 64,
    events: Annotated[int, typer.Option(min=1000, max=1_000_000, help="Events in a round of the processor.")] = 50_000,
    only: Annotated[Part | None, typer.Option(help="Measure only this part.")] = None,
) -> None:
    """Measure ingress beside bare aiohttp, and the processor, on this machine."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    console = Console()
    try:
        report = _measure(console, Options(only, rounds, seconds, connections, events))
    except HooklineError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from None
    show(console, report)
    file = save(report, _RESULTS)
    console.print(f"All figures: bench/results/{file.name}", highlight=False)
    raise typer.Exit(1 if report.problems else 0)


def _leave(number: int, _frame: FrameType | None) -> None:
    """End by an exception, so that every process is stopped on the way out."""
    raise SystemExit(128 + number)


def _measure(console: Console, options: Options) -> Report:
    cores = assign_cores()
    _tell_pinning(console, cores)
    pin(0, cores.rest)
    with (
        TemporaryDirectory(prefix="hookline-bench-") as directory,
        private_redis(Path(directory), cores.rest) as redis,
        journal(console) as lines,
    ):
        machine = describe(redis.version(), cores)
        show_machine(console, machine)
        report = Report(started_at=datetime.now(UTC), machine=machine, pinned=cores.service is not None)
        _fill(report, Bed(Path(directory), cores, redis, lines), options)
    return report


def _tell_pinning(console: Console, cores: Cores) -> None:
    if cores.service is None:
        console.print(
            "Only one core can be used, or this system cannot pin: services, load and Redis share it, so the figures are "
            "too low and the ratios too kind.",
            style="yellow",
            highlight=False,
        )


def _fill(report: Report, bed: Bed, options: Options) -> None:
    """Measure each part; one that fails does not keep the other from being measured."""
    if options.only is not Part.PROCESSOR:
        report.ingress = _attempt(report, lambda: _ingress(bed, options))
        report.problems += report.ingress.failures() if report.ingress else []
    if options.only is not Part.INGRESS:
        report.processor = _attempt(report, lambda: _processor(bed, options))
        report.problems += report.processor.failures() if report.processor else []


def _attempt(report: Report, measure: Callable[[], Figures]) -> Figures | None:
    try:
        return measure()
    except HooklineError as error:
        report.problems.append(str(error))
        return None


def _ingress(bed: Bed, options: Options) -> IngressFigures:
    return IngressRounds(bed, options.connections, options.seconds).run(options.rounds or _INGRESS_ROUNDS)


def _processor(bed: Bed, options: Options) -> ProcessorFigures:
    return ProcessorRounds(bed, options.events).run(options.rounds or _PROCESSOR_ROUNDS)


if __name__ == "__main__":
    typer.run(main)
