"""`hookline doctor`: find what would lose events or keep Hookline from working, and say how to fix it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hookline_cli.doctor.checks.event import check_event
from hookline_cli.doctor.checks.forwards import check_forwards
from hookline_cli.doctor.checks.handlers_module import check_handlers
from hookline_cli.doctor.checks.ledger import check_ledger
from hookline_cli.doctor.checks.live import check_live
from hookline_cli.doctor.checks.pauses import check_pauses
from hookline_cli.doctor.checks.ports import check_ports
from hookline_cli.doctor.checks.readers import check_readers
from hookline_cli.doctor.checks.redis_server import check_redis
from hookline_cli.doctor.checks.sender import check_sender
from hookline_cli.doctor.checks.settings import check_settings
from hookline_cli.doctor.checks.spool_disk import check_spool
from hookline_cli.doctor.checks.webhook import check_webhook
from hookline_cli.doctor.finding import Finding, Level
from hookline_cli.doctor.subject import Subject
from hookline_cli.output.options import AsJson, DataFolder
from hookline_cli.status.snapshot import count_of
from hookline_shared.lifecycle.service import EXIT_FAILED
from hookline_shared.observability.logs import configure_logs

_CHECKS: Final[Sequence[Callable[[Subject], Awaitable[list[Finding]]]]] = (
    check_settings,
    check_redis,
    check_pauses,
    check_readers,
    check_spool,
    check_ledger,
    check_sender,
    check_handlers,
    check_forwards,
    check_live,
    check_ports,
    check_webhook,
    check_event,
)
_STYLES: Final = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "bold red"}


def doctor(
    online: Annotated[bool, typer.Option("--online", help="Also test a PUBLIC_URL that is not on this machine.")] = False,
    send: Annotated[
        bool, typer.Option("--send", help="Send a test event through all services; your handler receives it.")
    ] = False,
    data: DataFolder = Path("var"),
    as_json: AsJson = False,
) -> None:
    """Find what would lose events or keep Hookline from working, and say how to fix it.

    It checks the settings of both services, the tokens and the public URL; the configuration, clock and data of Redis; pauses
    that may be forgotten; the disk of the spool; the database of the ledger; the credentials for sending; the ports; the apps
    of forwards; live routes; and alerts that fire. It imports your handlers in a separate process.

    It sends an empty signed webhook to the ingress that runs here, which verifies and answers it; nothing is stored. With
    `--send`, it also sends the status of a made-up message, which your handler of `message.status` and your apps receive.

    Example: `hookline doctor`

    Example: `PUBLIC_URL=https://hooks.example.com hookline doctor --online --json`
    """
    subject = Subject.now(data, online=online, send=send)
    configure_logs("error", "console", subject.shared.secrets() if subject.shared else ())
    found = asyncio.run(_print_all(subject, Console(quiet=as_json)))
    if as_json:
        typer.echo(json.dumps(_as_object(found), indent=2))
    if any(finding.level is Level.PROBLEM for finding in found):
        raise typer.Exit(EXIT_FAILED)


async def examine(subject: Subject) -> AsyncIterator[list[Finding]]:
    """Run the checks in order; yield the findings of each."""
    for check in _CHECKS:
        yield await check(subject)


async def _print_all(subject: Subject, console: Console) -> list[Finding]:
    """Print the findings of each check as soon as it has finished; return all."""
    found: list[Finding] = []
    async for findings in examine(subject):
        found += findings
        if findings:
            console.print(_table(findings), highlight=False)
    console.print(_verdict(found), highlight=False)
    return found


def _table(findings: Sequence[Finding]) -> Table:
    table = Table.grid("level", "check", "text", padding=(0, 2, 0, 0))
    table.columns[0].min_width = max(map(len, Level))
    table.columns[1].min_width = len("public url")
    table.columns[2].overflow = "fold"
    for finding in findings:
        table.add_row(Text(finding.level, _STYLES[finding.level]), Text(finding.check, "bold"), _text(finding))
    return table


def _text(finding: Finding) -> Text:
    text = Text(finding.found, "" if finding.level is Level.OK else "bold")
    if finding.meaning:
        text.append(f"\n{finding.meaning}", "not bold")
    if finding.remedy:
        text.append(f"\n→ {finding.remedy}", "not bold cyan")
    return text


def _verdict(found: Sequence[Finding]) -> Text:
    number = {level: sum(finding.level is level for finding in found) for level in Level}
    worst = next((level for level in (Level.PROBLEM, Level.WARNING) if number[level]), Level.OK)
    parts = [count_of(number[level], level) for level in (Level.PROBLEM, Level.WARNING) if number[level]]
    return Text(f"\n{' and '.join(parts) or 'All is well'}; {number[Level.OK]} checks passed.", _STYLES[worst])


def _as_object(found: Sequence[Finding]) -> dict[str, object]:
    """Return the output of --json."""
    return {
        "findings": [finding._asdict() for finding in found],
        "problems": sum(finding.level is Level.PROBLEM for finding in found),
        "warnings": sum(finding.level is Level.WARNING for finding in found),
    }
