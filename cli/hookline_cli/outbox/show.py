"""`hookline outbox show`: one message that is to be sent, and what happens with it next."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from hookline_cli.outbox.list import as_object
from hookline_cli.outbox.messages import Message, messages_in
from hookline_cli.output.durations import format_duration
from hookline_cli.output.options import AsJson, DataFolder
from hookline_cli.output.redaction import Redaction, Reveal
from hookline_cli.output.terminal import json_text, output, printable
from hookline_cli.redis_session import find_settings, open_redis_session
from hookline_shared.errors import HooklineError
from hookline_shared.settings.base import SharedSettings
from hookline_shared.streams.locate import server_time_ms

_NEXT: Final = {
    "queued": "It is sent when the messages before it are, with credentials, and when its account is open: see `hookline "
    "retry list --topic outbox` for what it waits for.",
    "sending": "Its request is under way, or its outcome is not on record yet.",
    "doubt": "Nobody knows whether Twilio has it. It is looked for in Twilio's list, and sent again only if it is not there "
    "after two minutes. Dropping it does not stop Twilio; replaying it later looks first.",
    "sent": "Twilio has it; the processor is about to settle it.",
}


def show_message(
    event: Annotated[str, typer.Argument(metavar="EVENT_ID|TOKEN", help="The message, as in `hookline outbox list`.")],
    reveal: Reveal = False,
    as_json: AsJson = False,
    data: DataFolder = Path("var"),
) -> None:
    """Show one message that waits to be sent: its state, recipient, text, encoding and segments, and what is next.

    A message that was sent is in the ledger, by the SID that Twilio gave it: see `hookline show`.

    Example: `hookline outbox show 01a2b3c4d5e6f7081920a1b2c3d4e5f6`
    """
    message, now_ms = asyncio.run(_find(find_settings(data), event))
    redaction = Redaction(reveal=reveal)
    if as_json:
        typer.echo(json_text(as_object(message, redaction, now_ms) | _of_mark(message) | {"next": _next(message, now_ms)}))
        return
    output().print(_table(message, redaction, now_ms))
    typer.echo(f"\n{_next(message, now_ms)}")


async def _find(settings: SharedSettings, wanted: str) -> tuple[Message, int]:
    async with open_redis_session(settings) as redis_session:
        for partition in range(redis_session.partitions):
            async for one in messages_in(redis_session, partition):
                if wanted in (one.event.id, one.place.token):
                    return one, await server_time_ms(redis_session.redis)
    raise HooklineError(
        f"{wanted} is not in the outbox: it was sent, or is a dead letter, or never was one. See `hookline show {wanted}`, and "
        "`hookline dead list --topic outbox`."
    )


def _of_mark(message: Message) -> dict[str, object]:
    mark = message.mark
    return {"token": message.place.token, "first_ms": mark.first_ms or None, "last_ms": mark.last_ms or None, "sid": mark.sid}


def _next(message: Message, now_ms: int) -> str:
    if message.mark.sid:
        return _NEXT["sent"]
    if not message.mark.is_sending:
        return _NEXT["queued"]
    return _NEXT["doubt" if message.in_doubt(now_ms) else "sending"]


def _table(message: Message, redaction: Redaction, now_ms: int) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    rows = {
        "event": message.event.id,
        "token": message.place.token,
        "account": message.event.account,
        "state": message.state(now_ms),
        "age": format_duration(max(0, now_ms - message.event.received_at)),
        "segments": str(message.segments or ""),
        **message.parameters(redaction),
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, Text(printable(str(value))))
    return table
