"""`python -m bench.ledger`: what the ledger costs, how fast it writes, and how fast it answers."""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from bench.ledger.rounds import LedgerRounds, Round, ratios
from bench.ledger.searches import QUERIES, fill, measure, plan
from bench.report.report import show_machine
from bench.report.spread import spread
from bench.system.machine import assign_cores, describe, pin
from bench.system.private_redis import private_redis
from hookline_cli.ledger.database import with_engine
from hookline_processor.ledger.database.migrate import migrate
from hookline_processor.ledger.settings import LedgerSettings
from hookline_shared.errors import HooklineError
from hookline_shared.validation import read_variables
from tests.support.servers.postgres_server import NoPostgresError, PostgresServer

_NONE: Final = "no ledger"
_TO_REACH_WRITTEN, _TO_REACH_RATIO, _TO_REACH_MS = 5000, 0.7, 100


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each.")] = 3,
    events: Annotated[int, typer.Option(min=1000, help="Events in a round.")] = 30_000,
    history: Annotated[int, typer.Option(min=0, help="Events to search in; 0 leaves that out.")] = 1_000_000,
) -> None:
    """Measure the ledger in SQLite and PostgreSQL."""
    console = Console()
    try:
        _measure(console, rounds, events, history)
    except HooklineError as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


def _measure(console: Console, rounds: int, events: int, history: int) -> None:
    cores = assign_cores()
    pin(0, cores.rest)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="hookline-bench-")))
        redis = stack.enter_context(private_redis(directory, cores.rest))
        databases = _databases(stack, directory, console)
        show_machine(console, describe(redis.version(), cores))
        _measure_rounds(console, LedgerRounds(directory, cores, redis, events), rounds, databases)
        if history:
            _measure_searches(console, history, databases)


def _databases(stack: ExitStack, directory: Path, console: Console) -> dict[str, str]:
    """Return a database of each kind, with tables."""
    found = {"sqlite": f"sqlite:///{directory}/ledger.db"}
    try:
        server = stack.enter_context(PostgresServer())
        found["postgresql"] = server.new_database()
    except NoPostgresError as error:
        console.print(str(error), style="red")
    for url in found.values():
        with_engine(_settings(url), migrate)
    return found


def _settings(url: str) -> LedgerSettings:
    return read_variables(LedgerSettings, {"HOOKLINE_LEDGER_URL": url, "DATABASE_COMMAND_TIMEOUT_S": 120})


def _measure_rounds(console: Console, environment: LedgerRounds, rounds: int, databases: dict[str, str]) -> None:
    found: dict[str, list[Round]] = {name: [] for name in (_NONE, *databases)}
    for number in range(1, rounds + 1):
        for name, own in found.items():
            own.append(one := environment.run(databases.get(name)))
            tail = "" if one.written is None else f", then {one.left:,} written at {one.written:,.0f}/s"
            console.print(f"round {number}/{rounds}, {name}: {one.settled:,.0f} events/s settled{tail}", highlight=False)
    table = Table("", "settled/s", "per CPU second", "ratio", "written/s", "per CPU second")
    for name, own in found.items():
        ratio = spread(ratios(found, name, _NONE)).median
        written, written_cpu = ([getattr(one, of) for one in own if getattr(one, of)] for of in ("written", "written_cpu"))
        table.add_row(
            name,
            f"{spread([one.settled for one in own]).median:,.0f}",
            f"{spread([one.settled_cpu for one in own]).median:,.0f}",
            "" if name == _NONE else _verdict(f"{ratio:.2f}", reached=ratio >= _TO_REACH_RATIO),
            _verdict(f"{spread(written).median:,.0f}", reached=spread(written).median >= _TO_REACH_WRITTEN) if written else "",
            f"{spread(written_cpu).median:,.0f}" if written_cpu else "",
        )
    console.print(table)


def _measure_searches(console: Console, history: int, databases: dict[str, str]) -> None:
    table = Table(f"search over {history:,} events", *(f"{name}, ms" for name in databases))
    times = {}
    for name, url in databases.items():
        with_engine(_settings(url), lambda engine: fill(engine, history))
        times[name] = with_engine(_settings(url), measure)
        lines = with_engine(_settings(url), lambda engine: plan(engine, QUERIES["a person"]))
        console.print(f"{name}'s plan for a person:", *lines, sep="\n  ", highlight=False, markup=False)
    for what in next(iter(times.values())):
        cells = [_verdict(f"{own[what]:.1f}", reached=own[what] <= _TO_REACH_MS) for own in times.values()]
        table.add_row(what, *cells)
    console.print(table)


def _verdict(text: str, *, reached: bool) -> str:
    colour = "green" if reached else "red"
    return f"[{colour}]{text}[/{colour}]"


if __name__ == "__main__":
    typer.run(main)
