"""`hookline dead show`: show one dead letter."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from hookline_cli.dead import rows
from hookline_cli.dead.scan import find_named
from hookline_cli.output.durations import describe_timestamp
from hookline_cli.output.event_fields import event_facts, print_facts
from hookline_cli.output.options import AsJson, DataFolder
from hookline_cli.output.redaction import Redaction, Reveal
from hookline_cli.output.terminal import json_text, printable
from hookline_cli.redis_session import find_settings, open_redis_session
from hookline_shared.dead_letter import DeadLetter, DeadLetterId
from hookline_shared.errors import HooklineError
from hookline_shared.settings.base import SharedSettings


def show_letter(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="Id, as shown by `hookline dead list`.")],
    reveal: Reveal = False,
    as_json: AsJson = False,
    data: DataFolder = Path("var"),
) -> None:
    """Show one dead letter with its event and traceback. Parameters are masked.

    Example: `hookline dead show 3:1718000000000-0`
    """
    letter = asyncio.run(_find(find_settings(data), DeadLetterId.parse(letter_id)))
    redaction = Redaction(reveal=reveal)
    if as_json:
        typer.echo(json_text(rows.details(letter, redaction)))
    else:
        print_letter(letter, redaction)


async def _find(settings: SharedSettings, letter_id: DeadLetterId) -> DeadLetter:
    found: list[DeadLetter] = []
    async with open_redis_session(settings) as redis_session:
        await find_named(redis_session, [letter_id], found.append)
    if not found:
        raise HooklineError(f"Dead letter {letter_id} not found: it may have been replayed or discarded.")
    return found[0]


def print_letter(letter: DeadLetter, redaction: Redaction) -> None:
    """Print all of `letter` as text."""
    print_facts(letter_facts(letter, redaction))
    if letter.event is None:
        words = redaction.raw(letter.event_fields)
        _section(
            "Raw fields",
            dict(zip(words[::2], words[1::2], strict=True)) if redaction.reveal else {"values": " ".join(words)},
        )
    else:
        _section("Parameters", dict(redaction.parameters(letter.event)))
    if letter.traceback:
        _section("Traceback", {})
        typer.echo(printable(redaction.error(letter.traceback, letter.event)).rstrip())


def _section(title: str, facts: dict[str, str]) -> None:
    typer.secho(f"\n{title}", bold=True)
    if facts:
        print_facts(facts)


def letter_facts(letter: DeadLetter, redaction: Redaction) -> dict[str, str]:
    """Return what is told about a dead letter, except its parameters and its traceback."""
    facts = {
        "id": str(letter.id),
        "died": describe_timestamp(letter.died_at),
        "reason": letter.reason,
        "error": redaction.error(letter.error, letter.event),
        "attempts": str(letter.attempts),
        "first failed": describe_timestamp(letter.first_failed_at) if letter.first_failed_at else "",
        "topic": f"{letter.topic} (entry {letter.entry})",
    }
    past = letter.replay_history
    if past.lives:
        facts["replayed"] = f"{past.lives}x; first died {describe_timestamp(past.died_at)}: {past.reason}"
    if letter.event is None:
        return facts | {"event": "cannot be decoded"}
    return facts | event_facts(letter.event, redaction)
