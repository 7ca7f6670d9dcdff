"""`hookline outbox list`: the messages that are to be sent, and how far each is."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from hookline_cli.outbox.messages import Message, messages_in
from hookline_cli.output.durations import format_duration
from hookline_cli.output.options import AsJson, DataFolder
from hookline_cli.output.redaction import Redaction, Reveal
from hookline_cli.output.terminal import json_text, one_line, output, printable
from hookline_cli.redis_session import RedisSession, find_settings, open_redis_session
from hookline_shared.settings.base import SharedSettings
from hookline_shared.streams.locate import lengths, server_time_ms
from hookline_shared.topics import OUTBOX

_TEXT: Final = 40


def list_messages(
    limit: Annotated[int, typer.Option(min=1, help="How many of them, the oldest of each partition first.")] = 20,
    reveal: Reveal = False,
    as_json: AsJson = False,
    data: DataFolder = Path("var"),
) -> None:
    """List the messages that wait to be sent: queued, being sent, or in doubt whether Twilio has them.

    `hookline retry list --topic outbox` says what they wait for, `hookline outbox show` shows one of them.

    Example: `hookline outbox list --limit 50`
    """
    settings = find_settings(data)
    messages, total, now_ms = asyncio.run(_find(settings, limit))
    redaction = Redaction(reveal=reveal)
    if as_json:
        typer.echo(json_text({"total": total, "messages": [as_object(one, redaction, now_ms) for one in messages]}))
    elif messages:
        output().print(_table(messages, redaction, now_ms))
        typer.echo(f"\n{total:,} messages in the outbox ({len(messages)} shown).")
    else:
        typer.echo("The outbox is empty.")


async def _find(settings: SharedSettings, limit: int) -> tuple[list[Message], int, int]:
    async with open_redis_session(settings) as redis_session:
        return await find_messages(redis_session, limit)


async def find_messages(redis_session: RedisSession, limit: int) -> tuple[list[Message], int, int]:
    """Return at most `limit` messages, how many there are, and the time by the clock of Redis in Unix ms.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    redis, partitions = redis_session.redis, redis_session.partitions
    messages: list[Message] = []
    for partition in range(partitions):
        if len(messages) < limit:
            async for one in messages_in(redis_session, partition):
                messages.append(one)
                if len(messages) >= limit:
                    break
    return messages, await lengths(redis, partitions, [OUTBOX]), await server_time_ms(redis)


def as_object(one: Message, redaction: Redaction, now_ms: int) -> dict[str, object]:
    """Return what is known of a message, in JSON types."""
    segments = one.segments
    return {
        "event_id": one.event.id,
        "account": one.event.account,
        "state": one.state(now_ms),
        "created_ms": one.event.received_at,
        "encoding": segments and segments.encoding,
        "segments": segments and segments.number,
        "parameters": one.parameters(redaction),
    }


def _table(messages: Sequence[Message], redaction: Redaction, now_ms: int) -> Table:
    table = Table("event", "age", "state", "to", "from", "segments", "text", box=None, pad_edge=False)
    for one in messages:
        parameters, segments = one.parameters(redaction), one.segments
        texts = (
            one.event.id,
            format_duration(max(0, now_ms - one.event.received_at)),
            one.state(now_ms),
            parameters.get("To", ""),
            parameters.get("From") or parameters.get("MessagingServiceSid", ""),
            f"{segments.number} {segments.encoding}" if segments else "",
            one_line(parameters.get("Body") or parameters.get("ContentSid", ""), _TEXT),
        )
        table.add_row(*(Text(printable(text)) for text in texts))
    return table
