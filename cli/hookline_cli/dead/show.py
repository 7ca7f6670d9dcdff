"""`hookline dead show`: show one dead letter."""

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from hookline_cli.dead import rows
from hookline_cli.dead.survey import find_named
from hookline_cli.facts import event_facts, print_facts
from hookline_cli.reach import DataFolder, find_settings, reach
from hookline_cli.spans import describe_moment
from hookline_cli.terminal import printable
from hookline_cli.veil import Reveal, Veil
from hookline_shared.errors import HooklineError
from hookline_shared.letter import Letter, LetterId
from hookline_shared.settings import SharedSettings


def show_letter(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="Id, as shown by `hookline dead list`.")],
    reveal: Reveal = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    data: DataFolder = Path("var"),
) -> None:
    """Show one dead letter with its event and traceback. Parameters are masked.

    Example: `hookline dead show 3:1718000000000-0`
    """
    letter = asyncio.run(_find(find_settings(data), LetterId.parse(letter_id)))
    veil = Veil(lifted=reveal)
    if as_json:
        typer.echo(msgspec.json.encode(rows.details(letter, veil)))
    else:
        print_letter(letter, veil)


async def _find(settings: SharedSettings, letter_id: LetterId) -> Letter:
    found: list[Letter] = []
    async with reach(settings) as reached:
        await find_named(reached, [letter_id], found.append)
    if not found:
        raise HooklineError(f"Dead letter {letter_id} not found: it may have been replayed or discarded.")
    return found[0]


def print_letter(letter: Letter, veil: Veil) -> None:
    """Print all of `letter` as text."""
    print_facts(_facts(letter, veil))
    if letter.event is None:
        words = veil.raw(letter.own)
        _section(
            "Raw fields",
            dict(zip(words[::2], words[1::2], strict=True)) if veil.lifted else {"values": " ".join(words)},
        )
    else:
        _section("Parameters", dict(veil.parameters(letter.event)))
    if letter.traceback:
        _section("Traceback", {})
        typer.echo(printable(veil.error(letter.traceback, letter.event)).rstrip())


def _section(title: str, facts: dict[str, str]) -> None:
    typer.secho(f"\n{title}", bold=True)
    if facts:
        print_facts(facts)


def _facts(letter: Letter, veil: Veil) -> dict[str, str]:
    facts = {
        "id": str(letter.id),
        "died": describe_moment(letter.died_at),
        "reason": letter.reason,
        "error": veil.error(letter.error, letter.event),
        "attempts": str(letter.attempts),
        "first failed": describe_moment(letter.first_failed_at) if letter.first_failed_at else "",
        "topic": f"{letter.topic} (entry {letter.entry})",
    }
    past = letter.past
    if past.lives:
        facts["replayed"] = f"{past.lives}x; first died {describe_moment(past.died_at)}: {past.reason}"
    if letter.event is None:
        return facts | {"event": "cannot be decoded"}
    return facts | event_facts(letter.event, veil)
