"""`hookline tail`: show events live as they are accepted, settled or dead."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from hookline_cli.dead.selection import fits_kind
from hookline_cli.known_names import check_kinds, check_topics
from hookline_cli.output.durations import format_duration
from hookline_cli.output.event_fields import event_object
from hookline_cli.output.interrupts import until_interrupted
from hookline_cli.output.options import DataFolder
from hookline_cli.output.redaction import Redaction, Reveal
from hookline_cli.output.terminal import json_text, one_line
from hookline_cli.redis_session import RedisSession, find_settings, open_redis_session
from hookline_cli.tail.timeline import Timeline, TimelineEntry
from hookline_shared.errors import BrokerUnavailableError
from hookline_shared.event import Event
from hookline_shared.settings.base import SharedSettings
from hookline_shared.streams.follow import Follower
from hookline_shared.streams.locate import server_time_ms

_WAIT_S: Final = 2.0
_POLL_S: Final = 0.5
_PAUSE_S: Final = 1.0
_MOST_ASKED: Final = 2000
"""The number of followed events that one poll asks about."""
_MOST_READS: Final = 1024
"""In a cluster each partition needs its own blocking read."""
_LONGEST: Final = 200
"""Characters of an error, or of a body."""
_COLOURS: Final = {"accepted": None, "settled": "green", "dead": "red"}


def tail(
    topics: Annotated[list[str], typer.Option("--topic", help="Only this topic; may be repeated.")] = [],  # noqa: B006
    kinds: Annotated[
        list[str], typer.Option("--kind", help="Only this kind, or family such as 'sync.*'; may be repeated.")
    ] = [],  # noqa: B006
    key: Annotated[str, typer.Option(help="Only this ordering key.")] = "",
    reveal: Reveal = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    data: DataFolder = Path("var"),
) -> None:
    """Show events live as they are accepted, settled or dead, until Ctrl-C. It only reads and does not affect the services.

    Events accepted before it started are shown only if they die. An event that is settled within about a millisecond may be
    missed.

    Example: `hookline tail --topic messages`
    """
    settings = find_settings(data)
    check_topics(topics, settings.topics)
    check_kinds(kinds)

    def wanted(topic: str, event: Event | None) -> bool:
        if topics and topic not in topics:
            return False
        if kinds and not any(fits_kind(kind, event.kind if event else "") for kind in kinds):
            return False
        return not key or (event is not None and event.key == key)

    asyncio.run(_tail(settings, topics or list(settings.topics), Timeline(wanted), _printer(Redaction(reveal=reveal), as_json)))


Print = Callable[[Sequence[TimelineEntry]], None]


async def _tail(settings: SharedSettings, topics: Sequence[str], timeline: Timeline, print_entries: Print) -> None:
    async with open_redis_session(settings, _MOST_READS) as redis_session:
        follower = Follower(redis_session.redis, redis_session.partitions, topics)
        await follower.start()
        tail_loop = _TailLoop(redis_session, follower, timeline, print_entries)
        with until_interrupted() as interrupted:
            typer.echo("Following events. Press Ctrl-C to stop.", err=True)
            loops = [tail_loop.repeat(partial(tail_loop.accept, group)) for group in follower.groups()]
            await _first_to_end(interrupted.wait(), tail_loop.repeat(tail_loop.poll), *loops)


class _TailLoop:
    """Prints what the follower sees."""

    def __init__(self, redis_session: RedisSession, follower: Follower, timeline: Timeline, print_entries: Print) -> None:
        self._redis_session = redis_session
        self._follower = follower
        self._timeline = timeline
        self._print_entries = print_entries
        self._failing: set[object] = set()

    async def accept(self, partitions: Sequence[int]) -> None:
        """Wait for new events of `partitions`, and print them."""
        self._print_entries(self._timeline.accepted(await self._follower.wait(partitions, _WAIT_S)))

    async def poll(self) -> None:
        """Print the events that were settled or died, then pause.

        Dead letters are read after the topics: an event moves from one to the other in a single step of Redis.
        """
        gone = await self._follower.removed(self._timeline.next_to_ask(_MOST_ASKED))
        now_ms, more = await server_time_ms(self._redis_session.redis), True
        while more:
            letters, more = await self._follower.new_dead_letters()
            self._print_entries(self._timeline.ended([], letters, now_ms))
        self._print_entries(self._timeline.ended(gone, [], now_ms))
        await asyncio.sleep(_POLL_S)

    async def repeat(self, work: Callable[[], Awaitable[None]]) -> None:
        """Repeat `work` for ever, also after Redis was down.

        Raises:
            BrokerUnavailableError: if the user in REDIS_URL lacks the permission, because waiting does not help.

        """
        while True:
            try:
                await work()
                self._failing.discard(work)
            except BrokerUnavailableError as error:
                if error.code == "NOPERM":
                    raise
                if not self._failing:
                    typer.echo(f"{error} Waiting for Redis.", err=True)
                self._failing.add(work)
                await asyncio.sleep(_PAUSE_S)
                await self._redis_session.redis.monitor.locate()


async def _first_to_end(*awaitables: Awaitable[object]) -> None:
    """Run all until one ends, cancel the others, and raise the error of the first."""
    tasks = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def _printer(redaction: Redaction, as_json: bool) -> Print:
    show = _print_object if as_json else _print_line

    def print_entries(timeline: Sequence[TimelineEntry]) -> None:
        for entry in timeline:
            show(entry, redaction)

    return print_entries


def _print_object(entry: TimelineEntry, redaction: Redaction) -> None:
    event, letter = entry.event, entry.letter
    fields: dict[str, object] = {"what": entry.what, "at": entry.at, **entry.place._asdict()}
    fields |= {"lives": entry.lives, "took_ms": entry.took_ms}
    if letter:
        fields |= {"letter": str(letter.id), "reason": letter.reason, "error": redaction.error(letter.error, event)}
    typer.echo(json_text(fields | (event_object(event, redaction) if event else {})))


def _print_line(entry: TimelineEntry, redaction: Redaction) -> None:
    event, letter = entry.event, entry.letter
    words = [_clock(entry.at), f"{entry.what:<8}", f"{entry.place.topic:<13}"]
    words += [f"{event.kind:<16}", event.id, redaction.key(event.key)] if event else ["(cannot be decoded)"]
    words += [f"replayed {entry.lives}x"] if entry.lives else []
    words += [f"after {format_duration(entry.took_ms)}"] if entry.took_ms is not None else []
    words += [str(letter.id), letter.reason, redaction.error(letter.error, event)] if letter else []
    words += [event.body.decode(errors="replace")] if event and redaction.reveal and entry.what == "accepted" else []
    typer.secho("  ".join(one_line(word, _LONGEST) for word in words), fg=_COLOURS[entry.what])


def _clock(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%H:%M:%SZ")
