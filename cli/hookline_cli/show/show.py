"""`hookline show`: everything that Redis and the ledger have about one event, or about a SID."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer

from hookline_cli.dead import rows
from hookline_cli.dead.show import print_letter
from hookline_cli.ledger.masking import masked
from hookline_cli.output.durations import describe_timestamp
from hookline_cli.output.event_fields import event_facts, event_object, print_facts
from hookline_cli.output.options import AsJson, DataFolder
from hookline_cli.output.progress import Reporting, progress_reporter
from hookline_cli.output.redaction import Redaction, Reveal
from hookline_cli.output.terminal import json_text, one_line, printable
from hookline_cli.pause.rows import describe
from hookline_cli.redis_session import RedisSession, find_settings, open_redis_session
from hookline_cli.show.search import Hits, Search, SearchTerm, Unsettled
from hookline_cli.show.settled import NO_LEDGER, LedgerAnswer, Row, merged, search_ledger, search_ledger_streams
from hookline_cli.show.state import describe_state
from hookline_cli.show.story import Line, explain_codes, line_of_event, line_of_row, outcome_of, story
from hookline_processor.retry_record import Record, decode_record
from hookline_shared.errors import HooklineError, UndecodableError
from hookline_shared.event import Event, ReplayHistory, decode, replay_history_of
from hookline_shared.settings.base import SharedSettings
from hookline_shared.streams.dead_letters import Discarded
from hookline_shared.streams.locate import server_time_ms
from hookline_shared.streams.waiting.pauses import Pause, PauseStore

_LONGEST_ERROR: Final = 500
_SETTLED: Final = "settled during this search"


class NotFoundError(HooklineError):
    """An event was not found; `ledger_problem` is why the ledger was not searched, empty if it was."""

    def __init__(self, wanted: SearchTerm, topics: list[str], partitions: int, ledger_problem: str) -> None:
        ledger = ledger_problem or "It is not in the ledger either."
        super().__init__(
            f"{wanted.text} not found. Searched topics {', '.join(topics)}, the dead letters and the record of discarded ones, "
            f"in all {partitions} partitions. {ledger} It was either settled, and then removed, or never accepted. If Redis "
            "was down recently, it may still be in the spool of an ingress: see `hookline status`."
        )


class Found(NamedTuple):
    """What was found in Redis and among the settled events, and why the ledger was not searched, if it was not."""

    hits: Hits
    settled: list[Row]
    ledger_problem: str
    pauses: list[Pause]
    now_ms: int
    partitions: int


def show(
    wanted: Annotated[str, typer.Argument(metavar="EVENT_ID|SID", help="Id of an event, or a SID in its parameters.")],
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Show at most this many events.")] = 20,
    reveal: Reveal = False,
    as_json: AsJson = False,
    data: DataFolder = Path("var"),
) -> None:
    """Show the state of an event and its attempts; with a SID, of every event that contains it, such as a message's statuses.

    It searches Redis and the ledger. If there are several events, they come first as a list, in the order in which they were
    accepted. The exit code is 1 if nothing is found.

    Example: `hookline show SM0123456789abcdef0123456789abcdef`
    """
    term, redaction = SearchTerm(wanted), Redaction(reveal=reveal)
    settings = find_settings(data)
    found = asyncio.run(_find(settings, term, limit, data))
    if as_json:
        typer.echo(json_text(found_object(found, redaction)))
    else:
        _print(found, redaction)
    if not found.hits.count and not found.settled:
        raise NotFoundError(term, list(settings.topics), found.partitions, found.ledger_problem)


async def _find(settings: SharedSettings, term: SearchTerm, limit: int, data: Path) -> Found:
    async with open_redis_session(settings) as redis_session:
        return await find(redis_session, term, limit, lambda: search_ledger(data, term, limit))


async def find(
    redis_session: RedisSession,
    term: SearchTerm,
    limit: int,
    ask_ledger: Callable[[], Awaitable[LedgerAnswer]],
    reporting: Reporting = progress_reporter,
) -> Found:
    """Search Redis, and then by `ask_ledger`: an event that is settled meanwhile is found in the ledger.

    Raises:
        BrokerUnavailableError: if Redis did not answer.

    """
    hits = await Search(redis_session, list(redis_session.topics), term, limit, reporting).run()
    now_ms = await server_time_ms(redis_session.redis)
    pauses = [pause for pause in await PauseStore(redis_session.redis).read() if not pause.has_ended(now_ms)]
    answer = await ask_ledger()
    waiting = [] if answer.problem == NO_LEDGER else await search_ledger_streams(redis_session, term)
    settled = merged(waiting, answer.rows, _ids(hits))
    return Found(hits, settled[-limit:], answer.problem, pauses, now_ms, redis_session.partitions)


def _ids(hits: Hits) -> list[str]:
    events = [read_event(unsettled)[0] for unsettled in hits.unsettled if unsettled.location is not None]
    return [event.id for event in events if event] + [letter.event_id for letter in hits.letters]


def _print(found: Found, redaction: Redaction) -> None:
    hits = found.hits
    lines = lines_of(found, redaction)
    if len(lines) > 1:
        typer.echo("\n".join([*story(lines), *explain_codes(lines)]))
    between = "\n" if len(lines) > 1 else ""
    for unsettled in hits.unsettled:
        typer.echo(between, nl=False)
        print_facts(unsettled_facts(unsettled, redaction, found.pauses, found.now_ms))
        between = "\n"
    for letter in hits.letters:
        typer.echo(f"{between}Dead letter")
        print_letter(letter, redaction)
        between = "\n"
    for partition, record in hits.discarded:
        typer.echo(f"{between}Discarded dead letter")
        print_facts(discarded_facts(partition, record))
        between = "\n"
    for row in found.settled:
        typer.echo(f"{between}Settled event")
        print_facts(settled_facts(row, redaction))
        between = "\n"
    kept = len(hits.unsettled) + len(hits.letters) + len(hits.discarded)
    if kept < hits.count:
        typer.echo(f"\n{kept} of {hits.count} are shown, see --limit.")
    if found.ledger_problem and found.ledger_problem != NO_LEDGER:
        typer.echo(found.ledger_problem, err=True)


def lines_of(found: Found, redaction: Redaction) -> list[Line]:
    """Return one line for each event that can be decoded."""
    lines = [line_of_row(row) for row in found.settled]
    for unsettled in found.hits.unsettled:
        if (event := read_event(unsettled)[0]) is not None:
            location, entry = unsettled.location, unsettled.arrival.place.entry
            lines.append(
                line_of_event(event, describe_state(location, entry, found.now_ms) if location else _SETTLED, redaction)
            )
    return lines + [
        line_of_event(letter.event, f"dead letter {letter.id}: {printable(letter.reason)}", redaction)
        for letter in found.hits.letters
        if letter.event is not None
    ]


def settled_facts(row: Row, redaction: Redaction) -> dict[str, str]:
    """Return what is told about a settled event."""
    shown = masked(row, redaction)
    return {
        "state": f"settled: {outcome_of(row)}",
        "settled": describe_timestamp(row["settled_at"]),
        "accepted": describe_timestamp(row["received_at"]),
        "event id": row["id"],
        "kind": row["kind"],
        "topic": row["topic"],
        "key": str(shown["key"] or ""),
        "sid": str(row["sid"] or ""),
        "from": str(shown["sender"] or ""),
        "to": str(shown["recipient"] or ""),
        "status": str(row["status"] or ""),
        "error": one_line(str(shown["error"] or ""), _LONGEST_ERROR),
    }


def unsettled_facts(unsettled: Unsettled, redaction: Redaction, pauses: Sequence[Pause], now_ms: int) -> dict[str, str]:
    """Return what is told about an event that is not settled."""
    place, found = unsettled.arrival.place, unsettled.location
    event, past = read_event(unsettled)
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


def discarded_facts(partition: int, record: Discarded) -> dict[str, str]:
    """Return what is told about a discarded dead letter."""
    return {"discarded": describe_timestamp(record.at), "partition": str(partition), **record.fields}


def found_object(found: Found, redaction: Redaction) -> dict[str, object]:
    """Return the --json output."""
    hits = found.hits
    return {
        "total": hits.count,
        "unsettled": [_unsettled_object(unsettled, redaction, found.pauses) for unsettled in hits.unsettled],
        "dead": [rows.details(letter, redaction) for letter in hits.letters],
        "discarded": [{"at": record.at, "partition": partition, **record.fields} for partition, record in hits.discarded],
        "settled": [dict(masked(row, redaction)) for row in found.settled],
        "ledger_problem": found.ledger_problem or None,
    }


def _unsettled_object(unsettled: Unsettled, redaction: Redaction, pauses: Sequence[Pause]) -> dict[str, object]:
    place, found = unsettled.arrival.place, unsettled.location
    event, past = read_event(unsettled)
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


def read_event(unsettled: Unsettled) -> tuple[Event | None, ReplayHistory]:
    """Return the event, None if it cannot be decoded, and its earlier lives."""
    fields = unsettled.arrival.fields
    past = replay_history_of(dict(zip(fields[::2], fields[1::2], strict=False)))
    try:
        return decode(fields), past
    except UndecodableError:
        return None, past
