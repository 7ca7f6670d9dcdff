"""`python -m bench.versions`: the CPU time of a webhook and of an event, in the working tree and in earlier versions.

All versions take turns on the same core within seconds, so that even a machine whose speed varies by a third from hour to hour
can tell 5 % apart. Exit code 1 means that the working tree needs more than it may, or that something could not be measured.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import msgspec
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bench.environment import Environment
from bench.plots import draw
from bench.report.progress import progress
from bench.report.report import show_machine
from bench.system.machine import assign_cores, describe, pin
from bench.system.private_redis import private_redis
from bench.versions.comparison import Costs
from bench.versions.ingress import webhook_costs
from bench.versions.processor import event_costs
from bench.versions.sources import NOW, Version, extract, recorded, working_tree
from hookline_shared.errors import HooklineError

_RESULTS: Final = Path(__file__).parents[1] / "results"
_EVENT_ROUNDS: Final = 3
"""So many rounds of webhooks for each of events, which take longer and are steadier."""


def main(
    commits: Annotated[list[str] | None, typer.Argument(help="Commits, tags or branches to compare with.")] = None,
    history: Annotated[bool, typer.Option("--history", help="Compare with all of bench/versions/history.toml.")] = False,
    rounds: Annotated[int, typer.Option(min=6, max=1000, help="Rounds of webhooks; a third as many of events.")] = 36,
    limit: Annotated[float, typer.Option(min=0, help="Fail if a webhook or an event needs this much more, in percent.")] = 15,
) -> None:
    """Compare the CPU time of this code with that of earlier versions: by default with the first one of history.toml.

    Example: python -m bench.versions origin/main --limit 5
    """
    console = Console()
    versions = [Version(commit, commit) for commit in commits or []] or (recorded() if history else recorded()[:1])
    try:
        with _environment(console) as environment:
            sources = [*(extract(one, environment.directory) for one in versions), working_tree()]
            measured = [
                webhook_costs(environment, sources, rounds),
                event_costs(environment, sources, max(6, rounds // _EVENT_ROUNDS)),
            ]
    except HooklineError as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    for costs in measured:
        _show(console, costs)
    if history:
        _draw(console, measured)
    excesses = [line for costs in measured for line in _excesses(costs, limit)]
    for line in excesses:
        console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1 if excesses else 0)


@contextmanager
def _environment(console: Console) -> Iterator[Environment]:
    cores = assign_cores()
    pin(0, cores.rest)
    with (
        TemporaryDirectory(prefix="hookline-bench-") as directory,
        private_redis(Path(directory), cores.rest) as redis,
        progress(console) as lines,
    ):
        show_machine(console, describe(redis.version(), cores))
        yield Environment(Path(directory), cores, redis, lines)


def _show(console: Console, costs: Costs) -> None:
    table = Table(costs.unit, "CPU µs", "now / this (95 % interval)", box=SIMPLE, pad_edge=False, show_edge=False)
    for name in costs.by_version:
        table.add_row(name, f"{costs.median(name):.1f}", "" if name == NOW else str(costs.ratio(NOW, name)))
    console.print(table)


def _draw(console: Console, measured: Sequence[Costs]) -> None:
    """Save the figures and draw them."""
    directory = _RESULTS / f"history-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    directory.mkdir(parents=True)
    figures = directory / "figures.json"
    figures.write_bytes(msgspec.json.format(msgspec.json.encode(measured)))
    try:
        with progress(console) as lines:
            draw(lines, figures, directory, "history.py")
    except HooklineError as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    console.print(f"Figures and picture: bench/results/{directory.name}", highlight=False)


def _excesses(costs: Costs, limit: float) -> list[str]:
    """Return a line for each version that needed so much less than the working tree that it cannot be chance."""
    others = [(name, costs.ratio(NOW, name)) for name in costs.by_version if name != NOW]
    return [
        f"{costs.unit.capitalize()} needs {ratio.median - 1:.0%} more CPU time than in {name}, at least {ratio.low - 1:.0%}; "
        f"the limit is {limit:g} %."
        for name, ratio in others
        if ratio.low > 1 + limit / 100
    ]


if __name__ == "__main__":
    typer.run(main)
