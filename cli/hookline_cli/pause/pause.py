"""`hookline pause`: keep events from being attempted, until `hookline resume` or for a time."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from hookline_cli.output.durations import parse_duration
from hookline_cli.output.operator import who_note, why_note
from hookline_cli.output.options import AsJson, DataFolder
from hookline_cli.output.redaction import Redaction, Reveal
from hookline_cli.output.terminal import json_text, output
from hookline_cli.pause import rows
from hookline_cli.pause.active import ActivePauses, read_active
from hookline_cli.pause.target import FromOption, KeyOption, KindOption, Target, ToOption, TopicOption, read_target
from hookline_cli.redis_session import find_settings, open_redis_session
from hookline_shared.errors import HooklineError
from hookline_shared.settings.base import SharedSettings
from hookline_shared.streams.locate import server_time_ms
from hookline_shared.streams.waiting.pauses import Pause, PauseStore, new_pause_id

pause = typer.Typer(add_completion=False, pretty_exceptions_enable=False, subcommand_metavar="[list]")


@pause.callback(invoke_without_command=True, no_args_is_help=True)
def pause_events(
    context: typer.Context,
    topic: TopicOption = "",
    kind: KindOption = "",
    key: KeyOption = "",
    sender: FromOption = "",
    receiver: ToOption = "",
    everything: Annotated[bool, typer.Option("--all", help="All events.")] = False,
    why: Annotated[str, typer.Option(help="The reason, shown to everybody. Do not write personal data here.")] = "",
    who: Annotated[str | None, typer.Option(help="Who pauses them, shown to everybody. Default: user@host.")] = None,
    duration: Annotated[str, typer.Option("--for", metavar="DURATION", help="End by itself after this, such as 2h.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the pause as one JSON object.")] = False,
    data: DataFolder = Path("var"),
) -> None:
    """Keep processors from attempting events that match all options, until `hookline resume` or for a time.

    Ingress goes on accepting webhooks. All processors obey the pause within about a second; running attempts continue. The
    events wait in Redis, in their order, and nothing is lost.

    Example: `hookline pause --topic messages --why 'the CRM is being migrated' --for 2h`

    Example: `hookline pause --from +14155550123 --to +18005551212 --why 'support case 812'`

    Example: `hookline pause list`
    """
    if context.invoked_subcommand is not None:
        return
    duration_ms = parse_duration(duration) if duration else 0
    if duration and not duration_ms:
        raise HooklineError("--for must be longer than nothing. Without it, the pause has no end.")
    settings = find_settings(data)
    target = read_target(settings.topics, topic, kind, key, sender, receiver)
    if (target != Target()) == everything:
        raise HooklineError("Choose what to pause by --topic, --kind or --conversation, or everything with --all. See --help.")
    made = asyncio.run(_pause(settings, target, who_note(who), why_note(why), duration_ms))
    typer.echo(json_text(rows.as_object(made, Redaction(reveal=True))) if as_json else _summary(made, duration))


def _summary(made: Pause, duration: str) -> str:
    until = f" for {duration.strip()}" if duration else ""
    return (
        f"Paused{until}: {rows.describe_target(made, Redaction(reveal=True))}. Processors obey it within about a second; "
        f"webhooks are still accepted. End it with: hookline resume {made.id}"
    )


async def _pause(settings: SharedSettings, target: Target, who: str, why: str, duration_ms: int) -> Pause:
    async with open_redis_session(settings) as redis_session:
        await read_active(redis_session)
        now_ms = await server_time_ms(redis_session.redis)
        made = Pause(
            id=new_pause_id(),
            **target._asdict(),
            who=who,
            why=why,
            since_ms=now_ms,
            until_ms=now_ms + duration_ms if duration_ms else 0,
        )
        await PauseStore(redis_session.redis).write(made)
        return made


@pause.command("list", epilog="Exit codes: 0 done. 1 failed; the error says why. 2 invalid command line.")
def list_pauses(
    reveal: Reveal = False,
    as_json: AsJson = False,
    data: DataFolder = Path("var"),
) -> None:
    """List the pauses, with who set them and why.

    Example: `hookline pause list`
    """
    found = asyncio.run(_find(find_settings(data)))
    redaction = Redaction(reveal=reveal)
    if as_json:
        listed = [rows.as_object(one, redaction) for one in found.pauses]
        typer.echo(json_text({"pauses": listed}))
    elif found.pauses:
        output().print(rows.table(found.pauses, redaction, found.now_ms))
    else:
        typer.echo("Nothing is paused.")


async def _find(settings: SharedSettings) -> ActivePauses:
    async with open_redis_session(settings) as redis_session:
        return await read_active(redis_session)
