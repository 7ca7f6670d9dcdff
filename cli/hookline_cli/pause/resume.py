"""`hookline resume`: end pauses."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hookline_cli.output.options import DataFolder
from hookline_cli.output.redaction import Redaction
from hookline_cli.output.terminal import json_text
from hookline_cli.pause import rows
from hookline_cli.pause.active import read_active
from hookline_cli.pause.target import FromOption, KeyOption, KindOption, Target, ToOption, TopicOption, read_target
from hookline_cli.redis_session import find_settings, open_redis_session
from hookline_shared.errors import HooklineError
from hookline_shared.settings.base import SharedSettings
from hookline_shared.streams.waiting.pauses import Pause, PauseStore


def resume(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids, as shown by `hookline pause list`.")] = None,
    topic: TopicOption = "",
    kind: KindOption = "",
    key: KeyOption = "",
    sender: FromOption = "",
    receiver: ToOption = "",
    everything: Annotated[bool, typer.Option("--all", help="All pauses.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the ended pauses as one JSON object.")] = False,
    data: DataFolder = Path("var"),
) -> None:
    """End pauses: by their ids, by exactly the options with which they were set, or all of them.

    The events are attempted within a few seconds, in their order. An event that matches another pause stays paused.

    Example: `hookline resume --topic messages`
    """
    settings = find_settings(data)
    target = read_target(settings.topics, topic, kind, key, sender, receiver)
    if [bool(ids), target != Target(), everything].count(True) != 1:
        raise HooklineError("Choose the pauses by id, by the options with which they were set, or all with --all. See --help.")
    ended = asyncio.run(_resume(settings, ids or (), target, everything=everything))
    if as_json:
        found = [rows.as_object(one, Redaction(reveal=True)) for one in ended]
        typer.echo(json_text({"resumed": found}))
        return
    for one in ended:
        typer.echo(f"Resumed {one.id}: {rows.describe_target(one, Redaction(reveal=True))}.")
    if not ended:
        typer.echo("Nothing is paused.")


async def _resume(settings: SharedSettings, ids: Sequence[str], target: Target, *, everything: bool) -> list[Pause]:
    async with open_redis_session(settings) as redis_session:
        pauses = (await read_active(redis_session)).pauses
        if missing := set(ids) - {one.id for one in pauses}:
            raise HooklineError(
                f"Pause {', '.join(sorted(missing))} not found; nothing was resumed. It may have ended: see "
                "`hookline pause list`."
            )
        ended = [one for one in pauses if everything or one.id in ids or (not ids and target.is_of(one))]
        if not ended and not everything:
            raise HooklineError("No pause was set with exactly these options: see `hookline pause list`.")
        if ended:
            await PauseStore(redis_session.redis).remove([one.id for one in ended])
        return ended
