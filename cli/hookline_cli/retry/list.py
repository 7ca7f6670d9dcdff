"""`hookline retry list`: what waits in Redis, by what it waits for."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import typer
from rich.table import Table
from rich.text import Text

from hookline_cli.output.durations import format_duration
from hookline_cli.output.options import AsJson, DataFolder
from hookline_cli.output.redaction import Redaction
from hookline_cli.output.terminal import json_text, output, printable
from hookline_cli.pause import rows
from hookline_cli.pause.active import read_active
from hookline_cli.pause.target import TopicOption, read_target
from hookline_cli.redis_session import RedisSession, find_settings, open_redis_session
from hookline_shared.settings.base import SharedSettings
from hookline_shared.streams.backlog import backlogs
from hookline_shared.streams.waiting.control import LaneSet, WaitingControl
from hookline_shared.streams.waiting.pauses import Pause

_BREAKER: Final = "breaker:"


class Group(NamedTuple):
    """The waiting conversations of a topic that wait for the same: how many, and the earliest and the latest time, in Unix
    ms."""

    waits_for: str
    topic: str
    conversations: int
    earliest_ms: int
    latest_ms: int


class PausedEvents(NamedTuple):
    """A pause, and the number of unsettled events of each topic that it covers as a whole: processors do not read these."""

    pause: Pause
    topics: dict[str, int]


class Waiting(NamedTuple):
    """What waits, the pauses, and the time by the clock of Redis."""

    groups: list[Group]
    paused: list[PausedEvents]
    now_ms: int


def list_waiting(
    topic: TopicOption = "",
    as_json: AsJson = False,
    data: DataFolder = Path("var"),
) -> None:
    """List how many conversations wait, for what, and until when. The other events of a conversation wait behind its first.

    Conversations wait for a time (a retry, or `RetryLater`), for a breaker to close, for the end of a pause, or for a
    processor with a handler for their kind. In an unordered topic, each event counts as a conversation. If a whole topic is
    paused, its new events stay unread, and are not among the conversations: pauses are listed below them.

    Example: `hookline retry list --topic messages`
    """
    settings = find_settings(data)
    read_target(settings.topics, topic, "", "", "", "")
    found = asyncio.run(_find(settings, topic))
    if as_json:
        typer.echo(json_text(waiting_object(found)))
        return
    if found.groups:
        output().print(_table(found.groups, found.now_ms))
    elif not found.paused:
        typer.echo("Nothing waits.")
    for one in found.paused:
        typer.echo(f"paused {rows.describe(one.pause, Redaction(reveal=False), found.now_ms)}{_unread(one.topics)}")


async def _find(settings: SharedSettings, topic: str) -> Waiting:
    async with open_redis_session(settings) as redis_session:
        return await find_waiting(redis_session, topic)


async def find_waiting(redis_session: RedisSession, topic: str) -> Waiting:
    """Return what waits of `topic`, or of all topics if it is empty.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    sets = await WaitingControl(redis_session.redis, redis_session.partitions).sets(list(redis_session.topics))
    pauses, now_ms = await read_active(redis_session)
    shown = [pause for pause in pauses if topic in ("", pause.topic) or not pause.topic]
    topics = [topic] if topic else list(redis_session.topics)
    paused = [await _paused(redis_session, pause, topics) for pause in shown]
    return Waiting(group(one for one in sets if topic in ("", one.topic)), paused, now_ms)


async def _paused(redis_session: RedisSession, pause: Pause, topics: Sequence[str]) -> PausedEvents:
    covered = [topic for topic in topics if pause.covers_topic(topic)]
    found = await backlogs(redis_session.redis, redis_session.partitions, covered) if covered else {}
    return PausedEvents(pause, {topic: found[topic].events for topic in covered if topic in found})


def waiting_object(found: Waiting) -> dict[str, object]:
    """Return the --json output."""
    return {
        "waiting": [_as_object(one) for one in found.groups],
        "paused": [_paused_object(one) for one in found.paused],
    }


def _paused_object(one: PausedEvents) -> dict[str, object]:
    """Return the --json output for a pause."""
    return rows.as_object(one.pause, Redaction(reveal=False)) | {"unsettled": one.topics}


def _unread(topics: dict[str, int]) -> str:
    counts = ", ".join(f"{topic} {number:,}" for topic, number in topics.items() if number)
    return f" (unsettled events: {counts})" if counts else ""


def group(sets: Iterable[LaneSet]) -> list[Group]:
    """Return the lanes of all partitions together, those that wait for a time first."""
    found: dict[tuple[str, str], list[LaneSet]] = {}
    for one in sets:
        found.setdefault((one.reason, one.topic), []).append(one)
    return [
        Group(*names, sum(one.lanes for one in own), min(one.earliest_ms for one in own), max(one.latest_ms for one in own))
        for names, own in sorted(found.items(), key=lambda item: (item[0][0] != "time", item[0]))
    ]


def _as_object(one: Group) -> dict[str, object]:
    """Return the --json output for a group. The times of one that waits for a breaker are those since when it waits."""
    names = ("waiting_since_ms", "latest_since_ms") if one.waits_for.startswith(_BREAKER) else ("earliest_ms", "latest_ms")
    times = dict(zip(names, (one.earliest_ms, one.latest_ms), strict=True))
    return {"waits_for": one.waits_for, "topic": one.topic, "conversations": one.conversations, **times}


def _table(groups: Sequence[Group], now_ms: int) -> Table:
    table = Table("waits for", "topic", "conversations", "earliest", "latest", box=None, pad_edge=False)
    table.columns[2].justify = "right"
    for one in groups:
        times = [_time(ms, now_ms, one.waits_for) for ms in (one.earliest_ms, one.latest_ms)]
        table.add_row(Text(printable(one.waits_for)), Text(printable(one.topic)), f"{one.conversations:,}", *times)
    return table


def _time(ms: int, now_ms: int, waits_for: str) -> str:
    if waits_for.startswith(_BREAKER):
        return f"since {format_duration(now_ms - ms)}"
    return f"in {format_duration(ms - now_ms)}" if ms > now_ms else "now"
