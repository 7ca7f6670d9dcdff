"""`python -m bench`: measure, print and save the figures. Exit code 1 means that a measurement failed, not that it was slow."""

import signal
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Annotated, Final

import typer
from rich.console import Console

from bench.environment import Environment
from bench.measurements import Options, Part, measure
from bench.plots import draw
from bench.report.progress import progress
from bench.report.report import Report, load, save, show, show_machine
from bench.scale import FULL, QUICK
from bench.system.machine import Cores, assign_cores, describe, pin
from bench.system.private_redis import private_redis
from hookline_shared.errors import HooklineError

_RESULTS: Final = Path(__file__).parent / "results"
_CONNECTIONS: Final = 64
_DISK: Final = Path("/var/tmp")
"""Where writes reach a disk; /tmp is memory on many systems, and would make every `fsync` free."""


def main(
    only: Annotated[list[Part] | None, typer.Option(help="Measure only this part; may be repeated.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer and shorter rounds: a first look.")] = False,
    rounds: Annotated[int | None, typer.Option(min=1, max=50, help="Rounds of each part.")] = None,
    connections: Annotated[int, typer.Option(min=1, max=1000, help="Keep-alive connections to ingress.")] = _CONNECTIONS,
    again: Annotated[Path | None, typer.Option(help="Measure nothing; show this file of bench/results.", exists=True)] = None,
) -> None:
    """Measure Hookline and its alternatives on this machine."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` wants it
            signal.signal(number, _exit_on_signal)
    console = Console()
    if again is not None:
        _show_again(console, again)
        return
    scale = QUICK if quick else FULL
    if rounds is not None:
        scale = scale._replace(ingress_rounds=rounds, drain_rounds=rounds)
    try:
        report = _measure(console, Options(frozenset(only or ()), scale, connections))
    except HooklineError as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    show(console, report)
    file = save(report, _RESULTS)
    _draw(console, report, file)
    console.print(f"All figures: bench/results/{file.name}, pictures beside it", highlight=False)
    raise typer.Exit(1 if report.problems else 0)


def _show_again(console: Console, file: Path) -> None:
    try:
        report = load(file)
    except HooklineError as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    show_machine(console, report.machine)
    show(console, report)


def _draw(console: Console, report: Report, file: Path) -> None:
    """Draw the charts beside the figures. If that fails, the figures are still valid."""
    try:
        with progress(console) as lines:
            draw(lines, file, file.with_suffix(""))
    except HooklineError as error:
        report.problems.append(str(error))
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)


def _exit_on_signal(number: int, _frame: FrameType | None) -> None:
    """Raise SystemExit, so that every process is stopped by its context manager."""
    raise SystemExit(128 + number)


def _measure(console: Console, options: Options) -> Report:
    cores = assign_cores()
    _tell_pinning(console, cores)
    pin(0, cores.rest)
    with (
        TemporaryDirectory(prefix="hookline-bench-", dir=_DISK if _DISK.is_dir() else None) as directory,
        private_redis(Path(directory), cores.rest) as redis,
        progress(console) as lines,
    ):
        machine = describe(redis.version(), cores)
        show_machine(console, machine)
        report = Report(started_at=datetime.now(UTC), machine=machine, pinned=cores.service is not None)
        try:
            measure(report, Environment(Path(directory), cores, redis, lines), options)
        except KeyboardInterrupt:
            report.problems.append("Stopped by Ctrl-C: what was not measured until then is missing.")
    return report


def _tell_pinning(console: Console, cores: Cores) -> None:
    if cores.service is None:
        console.print(
            "Only one core can be used, or this system cannot pin: services, load and Redis share it, so the figures are "
            "too low and the ratios too kind.",
            style="yellow",
            highlight=False,
        )


if __name__ == "__main__":
    typer.run(main)
