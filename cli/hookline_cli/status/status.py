"""`hookline status`: the backlog in Redis and in the spools, the owners of partitions, and the state of every service."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live

from hookline_cli.admin_address import AdminAddress
from hookline_cli.output.options import AdminPorts, DataFolder
from hookline_cli.output.terminal import end, output
from hookline_cli.redis_session import HIDDEN_REDIS
from hookline_cli.settings.running import find_running
from hookline_cli.status.collector import Collector, CollectorSettings, find_addresses
from hookline_cli.status.json_output import as_object
from hookline_cli.status.snapshot import Snapshot
from hookline_cli.status.view import StatusView
from hookline_shared.clock import SystemClock
from hookline_shared.errors import HooklineError
from hookline_shared.lifecycle.service import EXIT_FAILED
from hookline_shared.observability.logs import configure_logs


class StatusError(HooklineError):
    """There are `problems`, one line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n  - ".join([f"{len(problems)} problems:", *problems] if len(problems) > 1 else problems))


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Refresh until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two readings; rates are measured over them.")] = 1.0,
    admin: AdminPorts = None,
    data: DataFolder = Path("var"),
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Add what each problem means and what to do, and shorten nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object; with --watch, one per line.")] = False,
) -> None:
    """Show what is wrong, the backlog, the owners of partitions, and the state of each service.

    Problems, alerts and warnings come first, one line each, ordered by the harm: what loses webhooks is at the top. On a
    terminal, everything fits the screen; `--verbose` shortens nothing.

    For each topic, the columns are: unsettled events, except those that wait for a time (backlog); the age of the oldest
    event that does not wait in Redis (oldest); events that a processor has read (pending); conversations that wait in Redis
    for a retry, a breaker, the end of a pause or a handler (waiting, see `hookline retry list`); dead letters (dead); and the
    events accepted and settled per second (in/s, out/s).

    Example: `hookline status --watch`

    Example: `hookline status --verbose`

    Example: `hookline status --admin 10.0.0.5:9080 --admin 10.0.0.6:9081 --json`
    """
    running = find_running(data)
    settings = CollectorSettings.load(running.adopted)
    if running.hidden_redis:
        raise StatusError([HIDDEN_REDIS])
    configure_logs("error", "console", settings.secrets())
    addresses = find_addresses(admin, running.facts, settings)
    if watch:
        _watch(settings, addresses, interval, verbose=verbose, as_json=as_json)
    else:
        _once(settings, addresses, interval, verbose=verbose, as_json=as_json)


def _once(
    settings: CollectorSettings, addresses: Sequence[AdminAddress], interval: float, *, verbose: bool, as_json: bool
) -> None:
    async def look() -> Snapshot:
        async with Collector(settings, addresses, SystemClock()) as survey:
            if await survey.begin():
                await asyncio.sleep(interval)
            return await survey.look()

    found = asyncio.run(look())
    problems = found.problems()
    if as_json:
        typer.echo(json.dumps(as_object(found), indent=2))
    elif found.redis.topics or any(service.answers for service in found.services):
        output().print(StatusView(found, verbose=verbose))
        end(EXIT_FAILED if problems else 0)
    if problems:
        raise StatusError(problems)


def _watch(
    settings: CollectorSettings, addresses: Sequence[AdminAddress], interval: float, *, verbose: bool, as_json: bool
) -> None:
    async def repeat(show: Callable[[Snapshot], None]) -> None:
        async with Collector(settings, addresses, SystemClock()) as survey:
            while True:
                show(await survey.look())
                await asyncio.sleep(interval)

    with suppress(KeyboardInterrupt), _showing(verbose=verbose, as_json=as_json) as show:
        asyncio.run(repeat(show))


@contextmanager
def _showing(*, verbose: bool, as_json: bool) -> Iterator[Callable[[Snapshot], None]]:
    """Yield a function that shows a snapshot: on a terminal it replaces the previous one, elsewhere it is printed below it."""
    console = output()
    if as_json:
        yield lambda found: typer.echo(json.dumps(as_object(found)))
    elif console.is_terminal:
        with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:
            yield lambda found: live.update(StatusView(found, verbose=verbose), refresh=True)
    else:
        yield lambda found: console.print(StatusView(found, verbose=verbose), "")
