"""`hookline dead list`: list dead letters."""

import asyncio
from collections import Counter
from heapq import heappush, heappushpop
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer

from hookline_cli.dead import by_error, rows
from hookline_cli.dead.by_error import ErrorGroup, ErrorGroups
from hookline_cli.dead.options import selecting
from hookline_cli.dead.scan import scan
from hookline_cli.dead.selection import Selection
from hookline_cli.output.options import AsJson, DataFolder
from hookline_cli.output.progress import Reporting, progress_reporter
from hookline_cli.output.redaction import Redaction, Reveal
from hookline_cli.output.terminal import json_text, output
from hookline_cli.redis_session import RedisSession, find_settings, open_redis_session
from hookline_shared.dead_letter import DeadLetter
from hookline_shared.settings.base import SharedSettings
from hookline_shared.streams.locate import server_time_ms

_USUAL_LIMIT: Final = 50


class Found(NamedTuple):
    """The newest matching letters, oldest first; all by error, the largest group first; the number of all by reason; and the
    time by the clock of Redis."""

    newest: list[DeadLetter]
    errors: list[ErrorGroup]
    reasons: Counter[str]
    now_ms: int


class NewestLetters:
    """Keeps the newest letters, at most `limit`, and counts all by reason and by error."""

    def __init__(self, limit: int) -> None:
        self.reasons: Counter[str] = Counter()
        self.errors = ErrorGroups()
        self._limit = limit
        self._newest: list[tuple[int, int, DeadLetter]] = []
        """A heap of letters by time of death, then in the order in which they were added."""

    def add(self, letter: DeadLetter) -> None:
        """Add a letter."""
        place = letter.died_at, self.reasons.total(), letter
        self.reasons[letter.reason] += 1
        self.errors.add(letter)
        if len(self._newest) < self._limit:
            heappush(self._newest, place)
        else:
            heappushpop(self._newest, place)

    def newest(self) -> list[DeadLetter]:
        """Return the newest letters, oldest first."""
        return [letter for _, _, letter in sorted(self._newest)]


@selecting
def list_letters(
    selection: Selection,
    each: Annotated[bool, typer.Option("--each", help="List them one by one, newest last, instead of by error.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, max=1_000_000, help="With --each, which it implies: at most this many, the newest. [50]"),
    ] = None,
    reveal: Reveal = False,
    as_json: AsJson = False,
    data: DataFolder = Path("var"),
) -> None:
    """List dead letters by error, the most frequent first, with the newest of each; with `--each`, one by one.

    Errors that differ only in numbers, ids and quoted values are one. In `--json`, `letters` and `errors` have both.

    Example: `hookline dead list`

    Example: `hookline dead list --topic messages --error TimeoutError --newer-than 2h --each`
    """
    found = asyncio.run(_find(find_settings(data), selection, limit or _USUAL_LIMIT))
    redaction = Redaction(reveal=reveal)
    if as_json:
        typer.echo(json_text(found_object(found, redaction)))
    elif found.newest:
        _show(found, redaction, each=each or limit is not None)
    else:
        typer.echo("No dead letters." if selection.everything else "No matching dead letters.")


async def _find(settings: SharedSettings, selection: Selection, limit: int) -> Found:
    async with open_redis_session(settings) as redis_session:
        return await find_letters(redis_session, selection, limit)


async def find_letters(
    redis_session: RedisSession, selection: Selection, limit: int, reporting: Reporting = progress_reporter
) -> Found:
    """Return the letters that match `selection`, one by one at most `limit` of them.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    collected = NewestLetters(limit)
    await scan(redis_session, selection, collected.add, reporting)
    return Found(collected.newest(), collected.errors.by_size(), collected.reasons, await server_time_ms(redis_session.redis))


def found_object(found: Found, redaction: Redaction) -> dict[str, object]:
    """Return the --json output."""
    letters = [rows.as_object(letter, redaction) for letter in found.newest]
    errors = by_error.objects(found.errors, redaction)
    return {"letters": letters, "errors": errors, "total": found.reasons.total(), "reasons": dict(found.reasons)}


def _show(found: Found, redaction: Redaction, *, each: bool) -> None:
    total = found.reasons.total()
    summary = f"{total} dead letter{'s' * (total != 1)}"
    if not each:
        output().print(by_error.table(found.errors, redaction, found.now_ms))
        typer.echo(f"\n{summary}: {rows.counts(found.reasons)}")
        typer.echo("One by one: hookline dead list --each. All about one: hookline dead show ID")
        return
    output().print(rows.table(found.newest, redaction, found.now_ms))
    more = f" (the newest {len(found.newest)} shown, add --limit)" if total > len(found.newest) else ""
    typer.echo(f"\n{summary}{more}: {rows.counts(found.reasons)}")
