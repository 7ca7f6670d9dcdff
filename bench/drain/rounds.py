"""Rounds in which each contender runs once, so that other load on the machine affects all alike."""

from collections.abc import Sequence

from bench.drain.contender import Contender
from bench.drain.stopwatch import Stopwatch
from bench.environment import Environment
from bench.errors import BenchError
from bench.report.figures import Drain, DrainFigures, Drains


def race(environment: Environment, contenders: Sequence[Contender], rounds: int) -> DrainFigures:
    """Measure `rounds` rounds; a contender that fails is reported and does not run again."""
    figures = DrainFigures(drains=[Drains(name=one.name, jobs=one.jobs, rounds=[]) for one in contenders], failures=[])
    stopwatch = Stopwatch(environment)
    fit = list(zip(contenders, figures.drains, strict=True))
    for number in range(1, rounds + 1):
        for pair in list(fit):
            contender, drains = pair
            environment.progress.doing(f"round {number}/{rounds}: {contender.name} works off {contender.jobs:,} jobs")
            try:
                drains.rounds.append(stopwatch.time(contender))
            except BenchError as error:
                figures.failures.append(f"{contender.name}: {error}")
                fit.remove(pair)
                continue
            environment.progress.note(f"round {number}/{rounds}: {_tell(contender.name, drains.rounds[-1])}")
    return figures


def _tell(name: str, drain: Drain) -> str:
    dead = f", [red]{drain.dead} dead letters[/red]" if drain.dead else ""
    return f"{name:<28} {drain.rate:>8,.0f} jobs/s{dead}"
