"""`hookline show`: everything that Redis has about one event."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from hookline_cli.dead import rows
from hookline_cli.dead.show import print_letter
from hookline_cli.output.durations import describe_timestamp
from hookline_cli.output.event_fields import event_facts, event_object, print_facts
from hookline_cli.output.redaction import Redaction, Reveal
from hookline_cli.output.terminal import json_text
from hookline_cli.pause.rows import describe
from hookline_cli.redis_session import DataFolder, find_settings, open_redis_session
from hookline_cli.show.search import Hits, Search, SearchTerm, Unsettled
from hookline_cli.show.state import describe_state
from hookline_processor.retry import Record, decode_record
from hookline_shared.errors import HooklineError, UndecodableError
from hookline_shared.event import Event, ReplayHistory, decode, replay_history_of
from hookline_shared.settings.base import SharedSettings
from hookline_shared.streams.dead_letters import Discarded
from hookline_shared.streams.locate import server_time_ms
from hookline_shared.streams.waiting.pauses import Pause, PauseStore

_SETTLED: Final = "settled during this search"


class NotFoundError(HooklineError):
    """An event was not found."""

    def __init__(self, wanted: SearchTerm, topics: list[str], partitions: int) -> None:
        super().__init__(
            f"{wanted.text} not found. Searched topics {', '.join(topics)}, the dead letters and the record of discarded ones, "
            f"in all {partitions} partitions. It was either settled, and then removed, or never accepted. If Redis was down "
            "recently, it may still be in the spool of an ingress: see `hookline status`. If there is a ledger, settled events "
            "are found with `hookline ledger search`."
        )


def show(
    wanted: Annotated[str, typer.Argument(metavar="EVENT_ID|SID", help="Id of an event, or a SID in its parameters.")],
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Show at most this many events.")] = 20,
    reveal: Reveal = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    data: DataFolder = Path("var"),
) -> None:
    """Show the state of an event and its attempts; with a SID, of every event that contains it, such as a message's statuses.

    The exit code is 1 if it is not found.

    Example: `hookline show SM0123456789abcdef0123456789abcdef`
    """
    term, redaction = SearchTerm(wanted), Redaction(reveal=reveal)
    asyncio.run(_show(find_settings(data), term, limit, redaction, as_json=as_json))


async def _show(settings: SharedSettings, wanted: SearchTerm, limit: int, redaction: Redaction, *, as_json: bool) -> None:
    async with open_redis_session(settings) as redis_session:
        hits = await Search(redis_session, list(settings.topics), wanted, limit).run()
        now_ms = await server_time_ms(redis_session.redis)
        pauses = [pause for pause in await PauseStore(redis_session.redis).read() if not pause.has_ended(now_ms)]
    if as_json:
        typer.echo(json_text(_as_object(hits, redaction, pauses)))
    else:
        _print(hits, redaction, pauses, now_ms)
    if not hits.count:
        raise NotFoundError(wanted, list(settings.topics), redis_session.partitions)


def _print(hits: Hits, redaction: Redaction, pauses: Sequence[Pause], now_ms: int) -> None:
    kept = len(hits.unsettled) + len(hits.letters) + len(hits.discarded)
    between = ""
    for unsettled in hits.unsettled:
        typer.echo(between, nl=False)
        print_facts(_facts(unsettled, redaction, pauses, now_ms))
        between = "\n"
    for letter in hits.letters:
        typer.echo(f"{between}Dead letter")
        print_letter(letter, redaction)
        between = "\n"
    for partition, record in hits.discarded:
        typer.echo(f"{between}Discarded dead letter")
        print_facts(_discarded_facts(partition, record))
        between = "\n"
    if kept < hits.count:
        typer.echo(f"\n{kept} of {hits.count} are shown, see --limit.")


def _facts(unsettled: Unsettled, redaction: Redaction, pauses: Sequence[Pause], now_ms: int) -> dict[str, str]:
    place, found = unsettled.arrival.place, unsettled.location
    event, past = _read(unsettled)
    facts = {"state": _SETTLED}
    if found is not None:
        record = decode_record(found.record)
        facts = {"state": describe_state(found, place.entry, now_ms)}
        facts |= {"paused": _paused(event, place.topic, pauses, redaction, now_ms)} | _attempts(record, event, redaction)
    facts |= {"topic": place.topic, "partition": str(place.partition), "entry": place.entry}
    if past.lives:
        facts["replayed"] = f"{past.lives}x; first died {describe_timestamp(past.died_at)}: {past.reason}"
    return facts | (event_facts(event, redaction) if event else {"event": "cannot be decoded"})


def _paused(event: Event | None, topic: str, pauses: Sequence[Pause], redaction: Redaction, now_ms: int) -> str:
    """Return the pauses that hold an event, one on each line."""
    return "\n".join(describe(pause, redaction, now_ms) for pause in _holding(event, topic, pauses))


def _holding(event: Event | None, topic: str, pauses: Sequence[Pause]) -> list[Pause]:
    return [pause for pause in pauses if pause.covers(topic, event.kind if event else "", event.key if event else "")]


def _attempts(record: Record, event: Event | None, redaction: Redaction) -> dict[str, str]:
    return {
        "failed attempts": str(record.failures),
        "unfinished attempts": f"{record.begun}: the process died during them" if record.begun else "",
        "cut attempts": f"{record.cut}: a stop or handover cut them" if record.cut else "",
        "first failed": describe_timestamp(record.first_failed_at) if record.first_failed_at else "",
        "last error": redaction.error(record.error, event),
    }


def _discarded_facts(partition: int, record: Discarded) -> dict[str, str]:
    return {"discarded": describe_timestamp(record.at), "partition": str(partition), **record.fields}


def _as_object(hits: Hits, redaction: Redaction, pauses: Sequence[Pause]) -> dict[str, object]:
    return {
        "total": hits.count,
        "unsettled": [_unsettled_object(unsettled, redaction, pauses) for unsettled in hits.unsettled],
        "dead": [rows.details(letter, redaction) for letter in hits.letters],
        "discarded": [{"at": record.at, "partition": partition, **record.fields} for partition, record in hits.discarded],
    }


def _unsettled_object(unsettled: Unsettled, redaction: Redaction, pauses: Sequence[Pause]) -> dict[str, object]:
    place, found = unsettled.arrival.place, unsettled.location
    event, past = _read(unsettled)
    record = decode_record(found.record if found else None)
    wait = found.wait if found else None
    return {
        **place._asdict(),
        "state": found.stage.value if found else "settled",
        "waits_for": (wait.condition or "time") if wait else None,
        "waits_behind": wait.first_entry if wait and wait.first_entry != place.entry else None,
        "paused_by": [pause.id for pause in _holding(event, place.topic, pauses)],
        "attempts_failed": record.failures,
        "attempts_not_ended": record.begun,
        "attempts_cut": record.cut,
        "first_failed_at": record.first_failed_at,
        "next_at": wait.until_ms if wait and not wait.condition else 0,
        "last_error": redaction.error(record.error, event),
        "lives": past.lives,
        **(event_object(event, redaction) if event else {"fields": redaction.raw(unsettled.arrival.fields)}),
    }


def _read(unsettled: Unsettled) -> tuple[Event | None, ReplayHistory]:
    fields = unsettled.arrival.fields
    past = replay_history_of(dict(zip(fields[::2], fields[1::2], strict=False)))
    try:
        return decode(fields), past
    except UndecodableError:
        return None, past
