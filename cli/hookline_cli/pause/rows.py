"""Pauses as text, as rows of a table, or as JSON objects."""

from collections.abc import Iterable

import msgspec
from rich.table import Table
from rich.text import Text

from hookline_cli.output.durations import describe_timestamp, format_duration
from hookline_cli.output.redaction import Redaction
from hookline_cli.output.terminal import one_line
from hookline_shared.streams.waiting.pauses import Pause

_LONGEST_NOTE = 200


def describe_target(pause: Pause, redaction: Redaction) -> str:
    """Return which events a pause holds."""
    parts = [
        f"topic {pause.topic}" if pause.topic else "",
        f"kind {pause.kind}" if pause.kind else "",
        f"conversation {redaction.key(pause.key)}" if pause.key else "",
    ]
    return ", ".join(filter(None, parts)) or "everything"


def describe(pause: Pause, redaction: Redaction, now_ms: int) -> str:
    """Return all about a pause, on one line."""
    return one_line(
        f"{pause.id}: {describe_target(pause, redaction)}, since {format_duration(now_ms - pause.since_ms)}, "
        f"{_end(pause, now_ms)}, by {pause.who}: {pause.why}",
        2 * _LONGEST_NOTE,
    )


def table(pauses: Iterable[Pause], redaction: Redaction, now_ms: int) -> Table:
    """Return the table of `pauses`."""
    made = Table("id", "paused", "since", "end", "who", "why", box=None, pad_edge=False)
    for pause in pauses:
        since = f"{format_duration(now_ms - pause.since_ms)} ago"
        words = (pause.id, describe_target(pause, redaction), since, _end(pause, now_ms), pause.who, pause.why)
        made.add_row(*(Text(one_line(word, _LONGEST_NOTE)) for word in words))
    return made


def as_object(pause: Pause, redaction: Redaction) -> dict[str, object]:
    """Return the --json output for a pause. Times are Unix time in milliseconds; `until_ms` is null for one without an end."""
    return msgspec.structs.asdict(pause) | {"key": redaction.key(pause.key), "until_ms": pause.until_ms or None}


def _end(pause: Pause, now_ms: int) -> str:
    if not pause.until_ms:
        return "no end"
    return f"ends in {format_duration(pause.until_ms - now_ms)} ({describe_timestamp(pause.until_ms)})"
