"""`hookline ledger`: the history of settled events."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress

from hookline_cli.known_names import check_kinds
from hookline_cli.ledger.database import find_ledger, with_engine
from hookline_cli.ledger.masking import masked
from hookline_cli.ledger.output import Form, form_of, print_csv, print_events, print_json, print_thread
from hookline_cli.output.redaction import Redaction, Reveal
from hookline_cli.output.terminal import confirm
from hookline_cli.output.timestamps import format_timestamp, parse_timestamp
from hookline_processor.ledger.rows.addresses import normalise
from hookline_processor.ledger.settings import LedgerSettings
from hookline_shared.clock import SystemClock

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

Result = TypeVar("Result")

_PATIENCE_S: Final = 3600.0
"""The time limit of a statement, instead of DATABASE_COMMAND_TIMEOUT_S: a search for every mention of a number, or a count of
old rows, reads whole tables, and Ctrl-C can end it."""

_CODES: Final = "Exit codes: 0 done, or nothing found. 1 failed; the error says why. 2 invalid command line. 130 interrupted."
_NOTHING: Final = "Nothing was removed."
_NOTHING_FOUND: Final = (
    "Nothing found. Events that are not settled, or not yet in the ledger, are in Redis: hookline show SID, or hookline "
    "retry list."
)

app = typer.Typer(no_args_is_help=True)

Data = Annotated[Path, typer.Option(help="Folder of `hookline up`, whose ledger is used if HOOKLINE_LEDGER_URL is not set.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print it as CSV, with a heading.")]
Limit = Annotated[int, typer.Option(min=1, max=1_000_000, help="Show at most this many, the newest.")]


def _settings(data: Path) -> LedgerSettings:
    return msgspec.structs.replace(find_ledger(data), command_timeout_s=_PATIENCE_S)


def _ask(settings: LedgerSettings, work: "Callable[[AsyncEngine], Awaitable[Result]]") -> Result:
    """Return the result of `work`, after checking the revision of the tables."""
    from hookline_processor.ledger.database.store import Store

    async def ask(engine: "AsyncEngine") -> Result:
        await Store(engine).probe()
        return await work(engine)

    return with_engine(settings, ask)


@app.callback()
def about() -> None:
    """Search the history of settled events, and remove what must not be kept.

    Example: hookline ledger search --status undelivered --since 1d
    """


@app.command(epilog=_CODES)
def migrate(data: Data = Path("var")) -> None:
    """Create the tables, or migrate them to this version. It is safe to run again.

    Example: HOOKLINE_LEDGER_URL=postgresql://hookline@db/ledger hookline ledger migrate
    """
    from hookline_processor.ledger.database.migrate import migrate as bring_up_to_date
    from hookline_processor.ledger.database.schema import REVISION

    before = with_engine(_settings(data), bring_up_to_date)
    now = f"The ledger's tables are at revision {REVISION}"
    typer.echo(f"{now}, unchanged." if before == REVISION else f"{now}; before: {before or 'none'}.")


@app.command("search", epilog=_CODES)
def find(
    number: Annotated[str | None, typer.Option(help="From or to this number or address, in any notation.")] = None,
    sid: Annotated[str | None, typer.Option(help="SID of a message, call, recording, conversation, ...")] = None,
    kind: Annotated[str | None, typer.Option(help="Kind such as message.status, or family such as sync.*")] = None,
    status: Annotated[str | None, typer.Option(help="Status such as undelivered, or outcome: done or dead.")] = None,
    since: Annotated[str | None, typer.Option(help="Newer than an age such as 2h or 7d, or after a date.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    reveal: Reveal = False,
    data: Data = Path("var"),
) -> None:
    """Find events, newest first. An event must match all options.

    On a terminal, each event has two lines. In a pipe, it has one, with columns separated by tabs: received (UTC), kind, from,
    to, SID, status, outcome, attempts and error.

    Example: hookline ledger search --number +14155550123 --since 7d
    """
    from hookline_processor.ledger.search import Query, search

    check_kinds([kind] if kind else [])
    settings = _settings(data)
    start = None if since is None else parse_timestamp(since, SystemClock().now_ms())
    form = form_of(as_json=as_json, as_csv=as_csv)
    query = Query(number, sid, kind, status, start, limit, with_params=form is not Form.TEXT or not reveal)
    redaction = Redaction(reveal=reveal)
    found = [masked(row, redaction) for row in _ask(settings, lambda engine: search(engine, query))]
    match form:
        case "json":
            print_json(found)
        case "csv":
            print_csv(found)
        case _ if found:
            print_events(found)
        case _:
            typer.echo(_NOTHING_FOUND, err=True)


@app.command("conversation", epilog=_CODES)
def thread(
    one: Annotated[str, typer.Argument(metavar="FROM", help="A number or address.")],
    other: Annotated[str, typer.Argument(metavar="TO", help="The other number or address.")],
    limit: Limit = 100,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    reveal: Reveal = False,
    data: Data = Path("var"),
) -> None:
    """Show the messages and calls between two parties as a thread, oldest first.

    Example: hookline ledger conversation +14155550123 +18005551212
    """
    from hookline_processor.ledger.search import conversation

    rows, redaction = _ask(_settings(data), lambda engine: conversation(engine, one, other, limit)), Redaction(reveal=reveal)
    found = [masked(row, redaction) for row in rows]
    match form_of(as_json=as_json, as_csv=as_csv):
        case "json":
            print_json(found)
        case "csv":
            print_csv(found)
        case _ if not found:
            typer.echo(_NOTHING_FOUND, err=True)
        case _:
            print_thread(found, [row["sender"] == normalise(one) for row in rows])


@app.command(epilog=_CODES)
def purge(
    older_than: Annotated[str, typer.Option(help="Older than an age such as 90d, or before a date.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
    data: Data = Path("var"),
) -> None:
    """Remove old events, and messages and calls without newer events. It cannot be undone.

    Example: hookline ledger purge --older-than 90d
    """
    from hookline_processor.ledger import removal

    settings, before = _settings(data), parse_timestamp(older_than, SystemClock().now_ms())
    counts = _ask(settings, lambda engine: removal.count_older(engine, before))
    what = ", ".join(f"{rows} {name}" for name, rows in counts.items())
    confirm(f"Remove {what} from before {format_timestamp(before)} UTC?", yes=yes, refusal=f"{_NOTHING} Matching: {what}.")
    removed = dict.fromkeys(counts, 0)
    with Progress(console=Console(stderr=True)) as progress:
        bars = {name: progress.add_task(name, total=rows) for name, rows in counts.items()}

        def note(table: str, rows: int) -> None:
            removed[table] += rows
            progress.advance(bars[table], rows)

        _ask(settings, lambda engine: removal.purge(engine, before, note))
    if as_json:
        print_json({"removed": removed})
        return
    typer.echo(f"Removed {', '.join(f'{rows} {name}' for name, rows in removed.items())}.")


@app.command(epilog=_CODES)
def forget(
    number: Annotated[str, typer.Argument(help="A number or address.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
    data: Data = Path("var"),
) -> None:
    """Remove all data about a person from the ledger: messages, calls, and every event that mentions them.

    Example: hookline ledger forget +14155550123
    """
    from hookline_processor.ledger import removal

    settings = _settings(data)
    question = f"Remove all data about {normalise(number)} from the ledger? This cannot be undone"
    confirm(question, yes=yes, refusal=_NOTHING)
    counts = _ask(settings, lambda engine: removal.forget(engine, number))
    if as_json:
        print_json({"removed": counts})
        return
    typer.echo(f"Removed {', '.join(f'{rows} {name}' for name, rows in counts.items())} from the ledger.")
    typer.echo(
        "Not removed: data in Redis (events not yet settled or not yet in the ledger, dead letters), in backups and at Twilio."
    )
    typer.echo("New events are still written; run this again once Redis has no more events of this person.")
